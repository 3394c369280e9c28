"""Label schemas and small networks for the tests of networks."""

from pathloop.core import ClassSpec, LabelSchema, TaskSpec
from pathloop.networks import ModelCard, NetworkConfig

SMALL = NetworkConfig(encoder="resnet18", stem_stride=2, patch_window=2)


def classes(n: int) -> tuple[ClassSpec, ...]:
    return tuple(ClassSpec(name=f"class {index}", color=(index, 0, 0)) for index in range(n))


def instance(name: str) -> TaskSpec:
    return TaskSpec(name=name, output="instance", classes=classes(1))


def typed(name: str, *, of: str, n: int) -> TaskSpec:
    return TaskSpec(name=name, output="type", of=of, classes=classes(n))


def patch(name: str, *, n: int) -> TaskSpec:
    return TaskSpec(name=name, output="patch", classes=classes(n))


PAPER = LabelSchema(
    tasks=(
        instance("gland"),
        instance("lumen"),
        instance("nuclei"),
        typed("nuclei_type", of="nuclei", n=6),
        patch("tissue", n=9),
    )
)
"""The tasks whose parameters the paper counts."""

RELEASED = LabelSchema(tasks=(*PAPER.tasks, typed("gland_type", of="gland", n=2)))
"""Those of the released weights."""

THREE_KINDS = LabelSchema(tasks=(instance("nuclei"), typed("nuclei_type", of="nuclei", n=2), patch("tissue", n=3)))


def card(labels: LabelSchema = THREE_KINDS, architecture: NetworkConfig = SMALL) -> ModelCard:
    return ModelCard(
        name="small",
        version="1",
        summary="For tests.",
        architecture=architecture,
        labels=labels,
        um_per_px=0.5,
        margin_px=32,
        metrics={"set": {"nuclei": {"pq": 0.5}}},
        training={"steps": 3},
    )
