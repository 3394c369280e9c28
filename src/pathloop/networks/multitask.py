"""The multi-task network: one encoder, a decoder and a head for every dense task, a head for every patch task."""

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pathloop.core import LabelSchema, ModelError
from pathloop.networks._config import NetworkConfig
from pathloop.networks._decoder import Decoder, DenseHead, PatchHead
from pathloop.networks._encoder import ResidualEncoder
from pathloop.networks._rows import pick_rows

__all__ = ["InferenceNetwork", "MultiTaskNetwork", "forward_tiles", "n_parameters"]


class MultiTaskNetwork(nn.Module):
    """Shared encoder, 1x1 neck, and one branch a task.

    Parameters
    ----------
    config
        Architecture.
    labels
        Tasks, in the order of the outputs.

    Notes
    -----
    Inputs are RGB / 255 without further normalisation (Graham et al. 2023).
    """

    def __init__(self, config: NetworkConfig, labels: LabelSchema) -> None:
        super().__init__()
        self.config = config
        self.labels = labels
        self.encoder = ResidualEncoder(config)
        self.neck = nn.Conv2d(512, config.neck_channels, 1, bias=False)
        dense = [task for task in labels.tasks if task.output != "patch"]
        self.decoders = nn.ModuleDict({task.name: Decoder() for task in dense})
        self.heads = nn.ModuleDict({task.name: DenseHead(config, task.n_channels) for task in dense})
        for task in labels.tasks:
            if task.output == "patch":
                self.heads[task.name] = PatchHead(config, task.n_channels)
        self.apply(_initialise)

    def restricted_to(self, labels: LabelSchema) -> "MultiTaskNetwork":
        """A copy with some of the tasks only; ``labels`` may change all but their outputs."""
        smaller = MultiTaskNetwork(self.config, labels)
        state = self.state_dict()
        smaller.load_state_dict({name: state[name] for name in smaller.state_dict()})
        return smaller.to(self.neck.weight.device)

    def branch(self, task: str) -> list[nn.Module]:
        """The modules that belong to one task alone."""
        found = [self.heads[task]]
        if task in self.decoders:
            found.insert(0, self.decoders[task])
        return found

    def forward(self, x: Tensor, tasks: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Logits of the asked tasks (all by default) for every sample.

        Parameters
        ----------
        x
            (B, 3, H, W) in 0..1; H and W multiples of ``config.total_stride``.
        tasks
            Names; branches of other tasks do not run.

        Returns
        -------
        dict
            Dense tasks (B, C, H, W), patch tasks (B, C, H // cell, W // cell).
        """
        wanted = self.labels.names if tasks is None else tuple(tasks)
        rows = dict.fromkeys(wanted)
        return self.forward_rows(x, rows)

    def forward_rows(self, x: Tensor, rows: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """Logits of each task for the rows of the batch that own it; ``None`` stands for all rows.

        A task without rows does not run: its parameters get no gradient and its buffers do not move.
        """
        self._check_sides(x)
        maps = self.encoder(x)
        neck = self.neck(maps[-1]) if any(task in self.decoders for task in rows) else None
        out: dict[str, Tensor] = {}
        for task, index in rows.items():
            if index is not None and len(index) == 0:
                continue
            picked = maps if index is None else [pick_rows(one, index) for one in maps]
            if neck is None or task not in self.decoders:
                out[task] = self.heads[task](picked[-1])
                continue
            own_neck = neck if index is None else pick_rows(neck, index)
            logits = self.heads[task](self.decoders[task](own_neck, picked))
            if self.config.stem_stride > 1:
                scale = float(self.config.stem_stride)
                logits = F.interpolate(logits, scale_factor=scale, mode="bilinear", align_corners=False)
            out[task] = logits
        return out

    def _check_sides(self, x: Tensor) -> None:
        stride = self.config.total_stride
        height, width = x.shape[-2:]
        if height % stride or width % stride:
            fitting = (-(-height // stride) * stride, -(-width // stride) * stride)
            raise ModelError(f"input {height} x {width} px: both sides must be multiples of {stride}; pad to {fitting}")


def _initialise(module: nn.Module) -> None:
    """Kaiming normal (fan out) for convolutions, 1 and 0 for batch norm."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class InferenceNetwork(nn.Module):
    """What an engine runs: uint8 pixels in, quantised maps out, so that nothing large leaves as floats.

    Shape
    -----
    Input (B, H, W, 3) uint8. Output, a tuple in the order of ``tasks``: instance tasks (B, 2, H, W) uint8, interior
    and boundary probability times 255; type tasks (B, 1, H, W) uint8 class codes; patch tasks
    (B, C, H // cell, W // cell) float32 probabilities.
    """

    def __init__(self, network: MultiTaskNetwork, tasks: Iterable[str] | None = None) -> None:
        super().__init__()
        self.network = network
        self.tasks = network.labels.names if tasks is None else tuple(tasks)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Run all tasks."""
        # the weights' own type is the network's input type: float32, or bfloat16 where weights were converted
        dtype = self.network.neck.weight.dtype
        x = pixels.permute(0, 3, 1, 2).to(dtype) / 255
        logits = self.network(x, self.tasks)
        return tuple(self._quantise(task, logits[task].float()) for task in self.tasks)

    def _quantise(self, task: str, logits: Tensor) -> Tensor:
        output = self.network.labels[task].output
        if output == "instance":
            return (torch.softmax(logits, dim=1)[:, 1:3] * 255 + 0.5).to(torch.uint8)
        if output == "type":
            return logits.argmax(dim=1, keepdim=True).to(torch.uint8)
        return torch.softmax(logits, dim=1)


@torch.inference_mode()
def forward_tiles(network: InferenceNetwork, pixels: Tensor) -> dict[str, Tensor]:
    """Quantised maps of a batch of tiles, by task; see `InferenceNetwork` for shapes."""
    return dict(zip(network.tasks, network(pixels), strict=True))


def n_parameters(module: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(parameter.numel() for parameter in module.parameters())
