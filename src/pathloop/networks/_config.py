"""One configuration of encoder, decoders and heads, shared by `cerberus` and `fast`. Imports no torch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pathloop.core import StrictConfig

__all__ = ["CERBERUS", "ENCODERS", "FAST", "NetworkConfig"]

ENCODERS: dict[str, tuple[int, int, int, int]] = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
"""Basic blocks of the four stages (He et al. 2016, table 1)."""


class NetworkConfig(StrictConfig):
    """A shared residual encoder with one decoder and one head a task (Graham et al. 2023).

    Parameters
    ----------
    encoder
        ``resnet18`` or ``resnet34``; stages of 64, 128, 256 and 512 channels.
    stem_stride
        Stride of the 7x7 stem: 1 keeps a full-resolution skip (the published network), 2 computes a quarter
        and gives logits at half resolution that are upsampled.
    neck_channels
        Width after the 1x1 convolution on the deepest map.
    head_channels
        Hidden width of a dense head.
    patch_hidden
        Hidden width of the patch head.
    patch_window
        Side of the pooling window of the patch head, in cells of the deepest map; the tissue cell is
        ``patch_window * total_stride`` pixels wide.
    patch_dropout
        Dropout in the patch head.
    """

    encoder: Literal["resnet18", "resnet34"] = "resnet18"
    stem_stride: Literal[1, 2] = 2
    neck_channels: int = Field(default=256, ge=8)
    head_channels: int = Field(default=96, ge=8)
    patch_hidden: int = Field(default=256, ge=8)
    patch_window: int = Field(default=4, ge=1)
    patch_dropout: float = Field(default=0.3, ge=0, lt=1)

    @model_validator(mode="after")
    def _decodable(self) -> Self:
        if self.neck_channels != 256:
            raise ValueError("neck_channels must be 256: the decoder adds the 256-channel skip to it")
        return self

    @property
    def total_stride(self) -> int:
        """Input pixels per cell of the deepest map: 16 or 32. Input sides must be multiples of it."""
        return 16 * self.stem_stride

    @property
    def cell_px(self) -> int:
        """Side of a cell of the tissue map, input pixels."""
        return self.patch_window * self.total_stride


CERBERUS = NetworkConfig(encoder="resnet34", stem_stride=1, patch_window=9)
"""The published design: 0.5 um per px, 144 px cells."""

FAST = NetworkConfig(encoder="resnet18", stem_stride=2, patch_window=4)
"""The bundled default's design: a quarter of the operations a pixel, 128 px cells."""
