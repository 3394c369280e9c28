"""The four colon tasks of the bundled models."""

from pathloop.core import ClassSpec, LabelSchema, PostProcessing, TaskSpec

__all__ = ["COLON_LABELS"]

# Okabe and Ito's colour-blind-safe palette
COLON_LABELS = LabelSchema(
    tasks=(
        TaskSpec(
            name="nuclei",
            output="instance",
            classes=(ClassSpec(name="nucleus", color=(0, 158, 115)),),
            post=PostProcessing(kernel_px=3, grow_px=1, min_interior_px=4, min_size_px=30),
        ),
        TaskSpec(
            name="gland",
            output="instance",
            classes=(ClassSpec(name="gland", color=(240, 228, 66)),),
            post=PostProcessing(
                kernel_px=11, interior_threshold=0.6, grow_px=8, closing_px=2, min_interior_px=50, min_size_px=2000
            ),
        ),
        TaskSpec(
            name="lumen",
            output="instance",
            classes=(ClassSpec(name="lumen", color=(0, 114, 178)),),
            post=PostProcessing(
                kernel_px=3, grow_px=2, closing_px=1, min_interior_px=8, min_size_px=150, clip_to="gland"
            ),
        ),
        TaskSpec(
            name="tissue",
            output="patch",
            classes=(
                ClassSpec(name="background", color=(255, 255, 255)),
                ClassSpec(name="stroma_other", color=(86, 180, 233)),
                ClassSpec(name="normal_epi", color=(240, 228, 66)),
                ClassSpec(name="abnormal_epi", color=(213, 94, 0)),
            ),
        ),
    )
)
"""Post-processing constants at 0.5 um per px: kernels, thresholds and the size of lumina as in the released Cerberus
(kernels 3 and 11, thresholds 0.5 and 0.55, 150 px2); thresholds, growth and sizes of nuclei and glands by panoptic
quality on the validation fold of the bundled model's open data."""
