"""Labels to training targets and back."""

from pathloop.targets._instance import (
    BACKGROUND,
    BOUNDARY,
    INTERIOR,
    clip_labels,
    decode_instances,
    encode_instances,
)

__all__ = ["BACKGROUND", "BOUNDARY", "INTERIOR", "clip_labels", "decode_instances", "encode_instances"]
