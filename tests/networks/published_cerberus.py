"""The published Cerberus network in plain torch, from its description alone, with the names of its published file."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = {"Gland": 3, "Gland#TYPE": 3, "Lumen": 3, "Nuclei": 3, "Nuclei#TYPE": 7}
OUR_NAMES = {
    "gland": "Gland",
    "gland_type": "Gland#TYPE",
    "lumen": "Lumen",
    "nuclei": "Nuclei",
    "nuclei_type": "Nuclei#TYPE",
    "tissue": "Patch-Class",
}
N_TISSUES = 9


class Block(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        if stride == 2:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    """torchvision's names; the classifier is there and unused."""

    def __init__(self, blocks: tuple[int, ...] = (3, 4, 6, 3), *, stem_stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stem_stride, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        width = 64
        for level, n in enumerate(blocks, 1):
            out = 64 * 2 ** (level - 1)
            first = Block(width, out, 1 if level == 1 else 2)
            setattr(self, f"layer{level}", nn.Sequential(first, *(Block(out, out, 1) for _ in range(n - 1))))
            width = out
        self.fc = nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [F.relu(self.bn1(self.conv1(x)))]
        x = F.max_pool2d(maps[0], 3, 2, 1)
        for level in range(1, 5):
            x = getattr(self, f"layer{level}")(x)
            maps.append(x)
        return maps


class ConvNorm(nn.Module):
    def __init__(self, c_in: int, c_out: int, size: int, *, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, size, padding=size // 2, bias=bias)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Stage(nn.Module):
    def __init__(self, c_in: int, hidden: int, c_out: int) -> None:
        super().__init__()
        self.block = nn.ModuleList([ConvNorm(c_in, hidden, 3, bias=True), ConvNorm(hidden, c_out, 3, bias=True)])


class PatchHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(512)
        self.conv1 = nn.Conv2d(512, 256, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(256)
        self.conv2 = nn.Conv2d(256, N_TISSUES, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(x.mean(dim=(2, 3), keepdim=True)))
        return self.conv2(F.relu(self.bn2(self.conv1(x))))


class Head(nn.Module):
    """How the layers below ``x`` are called is not known; ``nested`` and flat names are both made."""

    def __init__(self, n_out: int, *, nested: bool, bias: bool) -> None:
        super().__init__()
        last = nn.Conv2d(96, n_out, 1)
        if nested:
            self.x = nn.Sequential(ConvNorm(64, 96, 1, bias=bias), last)
        else:
            self.x = nn.Sequential(nn.Conv2d(64, 96, 1, bias=bias), nn.BatchNorm2d(96), nn.ReLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        return self.x(x)


class PublishedCerberus(nn.Module):
    def __init__(self, *, nested: bool = True, bias: bool = False) -> None:
        super().__init__()
        self.backbone = ResNet()
        self.conv_map = nn.Conv2d(512, 256, 1, bias=False)
        channels = ((256, 256, 128), (128, 128, 64), (64, 64, 64), (64, 64, 64))
        self.decoder_head = nn.ModuleDict({task: nn.ModuleList([Stage(*one) for one in channels]) for task in HEADS})
        self.decoder_head["Patch-Class"] = PatchHead()
        self.output_head = nn.ModuleDict(
            {
                task: nn.ModuleDict({"TYPE" if "#" in task else "INST": Head(n_out, nested=nested, bias=bias)})
                for task, n_out in HEADS.items()
            }
        )

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) values 0..255 -> logits by published task; one row of tissue logits of the central 9 x 9."""
        maps = self.backbone(pixels / 255.0)
        deepest = maps.pop()
        out = {}
        for task in HEADS:
            x = self.conv_map(deepest)
            for stage, skip in zip(self.decoder_head[task], maps[::-1], strict=True):
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False) + skip
                for one in stage.block:
                    x = one(x)
            (head,) = self.output_head[task].values()
            out[task] = head(x)
        top, left = ((side - 9) // 2 for side in deepest.shape[2:])
        out["Patch-Class"] = self.decoder_head["Patch-Class"](deepest[:, :, top : top + 9, left : left + 9])
        return out


def settled(network: PublishedCerberus, seed: int = 1) -> PublishedCerberus:
    """Random weights, batch norms neither 0 nor 1, activations of a size that keeps classes apart."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 1, 3)
            nn.init.uniform_(module.weight, 0.6, 1.2)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


def published_state(network: PublishedCerberus) -> dict[str, Tensor]:
    """Names as a network on several GPUs saves them."""
    return {f"module.{name}": value for name, value in network.state_dict().items()}


def write_published(path: Path, network: PublishedCerberus) -> Path:
    torch.save({"desc": published_state(network)}, path)
    return path
