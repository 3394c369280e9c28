"""The residual encoder (He et al. 2016) with a stem whose stride is configurable."""

import torch
from torch import Tensor, nn

from pathloop.networks._config import ENCODERS, NetworkConfig

__all__ = ["ResidualEncoder"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, c_in: int, c_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x)) + shortcut
        return torch.relu(x)


class ResidualEncoder(nn.Module):
    """Stem, max-pool and four stages.

    Shape
    -----
    Input (B, 3, H, W) in 0..1; output five maps of 64, 64, 128, 256 and 512 channels at 1, 1/2, 1/4, 1/8 and
    1/16 of the stem's resolution, which is H / stem_stride.
    """

    channels = (64, 64, 128, 256, 512)

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, config.stem_stride, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        c_in = 64
        stages = []
        for index, n_blocks in enumerate(ENCODERS[config.encoder]):
            c_out = 64 * 2**index
            blocks = [BasicBlock(c_in, c_out, stride=1 if index == 0 else 2)]
            blocks += [BasicBlock(c_out, c_out, stride=1) for _ in range(n_blocks - 1)]
            stages.append(nn.Sequential(*blocks))
            c_in = c_out
        self.layer1, self.layer2, self.layer3, self.layer4 = stages

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps from fine to coarse."""
        stem = self.relu(self.bn1(self.conv1(x)))
        maps = [stem]
        x = self.maxpool(stem)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps
