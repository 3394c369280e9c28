"""What the published Cerberus weights find, and their card. Imports no torch.

Facts: Graham et al. 2023, "One model is all you need: multi-task learning enables simultaneous histology image
segmentation and classification", and the files that were released with it.
"""

from pathlib import Path

from pathloop.core import ClassSpec, LabelSchema, PostProcessing, TaskSpec, file_sha256
from pathloop.networks._card import DataSource, ModelCard
from pathloop.networks._config import CERBERUS

__all__ = ["CERBERUS_LABELS", "CERBERUS_LICENCE", "PUBLISHED_TASKS", "cerberus_card"]

CERBERUS_LICENCE = "CC BY-NC-SA 4.0"

PUBLISHED_TASKS = {
    "nuclei": "Nuclei",
    "nuclei_type": "Nuclei#TYPE",
    "gland": "Gland",
    "gland_type": "Gland#TYPE",
    "lumen": "Lumen",
    "tissue": "Patch-Class",
}
"""Our name of every task, and the one in the published files."""


def _classes(**colors: tuple[int, int, int]) -> tuple[ClassSpec, ...]:
    return tuple(ClassSpec(name=name, color=color) for name, color in colors.items())


CERBERUS_LABELS = LabelSchema(
    tasks=(
        TaskSpec(
            name="nuclei",
            output="instance",
            classes=_classes(nucleus=(0, 158, 115)),
            post=PostProcessing(kernel_px=3, grow_px=1, min_interior_px=4, min_size_px=8),
        ),
        TaskSpec(
            name="nuclei_type",
            output="type",
            of="nuclei",
            classes=_classes(
                neutrophil=(213, 94, 0),
                epithelial=(0, 158, 115),
                lymphocyte=(86, 180, 233),
                plasma=(204, 121, 167),
                eosinophil=(230, 159, 0),
                connective=(240, 228, 66),
            ),
        ),
        TaskSpec(
            name="gland",
            output="instance",
            classes=_classes(gland=(240, 228, 66)),
            post=PostProcessing(
                kernel_px=11, interior_threshold=0.55, mask_threshold=0, grow_px=5, min_interior_px=1000
            ),
        ),
        TaskSpec(
            name="gland_type",
            output="type",
            of="gland",
            classes=_classes(gland=(240, 228, 66), surface_epithelium=(230, 159, 0)),
        ),
        TaskSpec(
            name="lumen",
            output="instance",
            classes=_classes(lumen=(0, 114, 178)),
            post=PostProcessing(kernel_px=3, mask_threshold=0, grow_px=1, min_interior_px=150, clip_to="gland"),
        ),
        TaskSpec(
            name="tissue",
            output="patch",
            classes=_classes(
                background=(255, 255, 255),
                abnormal_epi=(213, 94, 0),
                normal_epi=(240, 228, 66),
                inflammatory=(0, 114, 178),
                muscle=(204, 121, 167),
                stroma=(86, 180, 233),
                debris=(0, 0, 0),
                mucous=(0, 158, 115),
                adipose=(230, 159, 0),
            ),
        ),
    )
)
"""The released heads. Class names and their order as published; colours are Okabe and Ito's.

Constants follow the published post-processing at 0.5 um per px: thresholds, least interiors (glands 1000, lumina 150,
nuclei 4 px2), growth by the radius of its ellipses (10 and 2 px wide) whatever the boundary map says, hence the mask
threshold of 0. Nuclei grow back the one pixel that their kernel took, where it watersheds an eroded mask; both give the
nucleus as it was drawn.
"""


def cerberus_card(source: Path) -> ModelCard:
    """The card of the published weights.

    Parameters
    ----------
    source
        The downloaded file; its name and checksum are kept.
    """
    return ModelCard(
        name="cerberus",
        version="published",
        summary="The published Cerberus weights: nuclei of 6 types, glands of 2, lumina, 9 tissue classes.",
        architecture=CERBERUS,
        labels=CERBERUS_LABELS,
        um_per_px=0.5,
        margin_px=CERBERUS.cell_px,
        training_data=(
            DataSource(
                name="Cerberus",
                licence=CERBERUS_LICENCE,
                attribution="Graham et al. 2023, arXiv 2203.00077; github.com/TissueImageAnalytics/cerberus",
                tasks=CERBERUS_LABELS.names,
                n_images=440_000,
                note="patches of colon tissue, about as many as the paper states",
            ),
        ),
        licence=CERBERUS_LICENCE,
        limits=(
            "Colon tissue at 0.5 um per px.",
            "Results differ a little from the published pipeline's unless tiles are run as it does (--patchwise):"
            " its tiles have a margin of 152 px, these of 144 px, less than the network sees.",
        ),
        intended_use="Research only: the licence of the weights forbids commercial use. Not for diagnosis.",
        training={"converted_from": source.name, "converted_sha256": file_sha256(source)},
    )
