"""The U-Net style decoder with additive skips, and the heads (Graham et al. 2023; released network)."""

import torch.nn.functional as F
from torch import Tensor, nn

from pathloop.networks._config import NetworkConfig

__all__ = ["Decoder", "DenseHead", "PatchHead"]

STAGES = ((256, 256, 128), (128, 128, 64), (64, 64, 64), (64, 64, 64))
"""Input, hidden and output channels of the four stages; the input equals the width of the added skip."""


class ConvBlock(nn.Module):
    """3x3 convolution with bias, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, 1, 1)
        self.bn = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H, W)."""
        out: Tensor = self.relu(self.bn(self.conv(x)))
        return out


class Decoder(nn.Module):
    """Four stages: bilinear x2, add the encoder's map, two convolutions.

    Shape
    -----
    Input: the neck (B, 256, h, w) and the encoder's maps; output (B, 64, 16 h, 16 w).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(ConvBlock(c_in, hidden), ConvBlock(hidden, c_out)) for c_in, hidden, c_out in STAGES
        )

    def forward(self, neck: Tensor, maps: list[Tensor]) -> Tensor:
        """Upsample back to the stem's resolution."""
        x = neck
        for stage, skip in zip(self.stages, reversed(maps[:-1]), strict=True):
            x = stage(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False) + skip)
        return x


class DenseHead(nn.Module):
    """1x1 convolution to ``head_channels``, batch norm, ReLU, 1x1 convolution to the classes."""

    def __init__(self, config: NetworkConfig, n_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(STAGES[-1][-1], config.head_channels, 1, bias=False),
            nn.BatchNorm2d(config.head_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(config.head_channels, n_channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 64, H, W) -> (B, n_channels, H, W) logits."""
        out: Tensor = self.layers(x)
        return out


class PatchHead(nn.Module):
    """Classifies windows of the deepest map.

    The map is averaged over ``patch_window`` squared cells with the same stride, so one window (a training
    patch) and a grid of windows (a large tile) go the same way; the convolutions are the published fully
    connected layers.

    Shape
    -----
    Input (B, 512, h, w); output (B, n_classes, h // patch_window, w // patch_window) logits.
    """

    def __init__(self, config: NetworkConfig, n_classes: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(config.patch_window, config.patch_window)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.ReLU(inplace=True),
            nn.Dropout(config.patch_dropout),
            nn.Conv2d(512, config.patch_hidden, 1, bias=False),
            nn.BatchNorm2d(config.patch_hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(config.patch_hidden, n_classes, 1),
        )

    def forward(self, deepest: Tensor) -> Tensor:
        """One row of logits for each window."""
        out: Tensor = self.layers(self.pool(deepest))
        return out
