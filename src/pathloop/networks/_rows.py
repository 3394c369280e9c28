"""Some samples of a batch, in the memory layout that the batch has."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["pick_rows"]


class _PickRows(torch.autograd.Function):
    # index_select gives up the channels-last layout, and its gradient adds row by row: together a quarter of a
    # training step on a CPU. Rows are picked once each, so copying them back is the whole gradient.

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.n_rows, ctx.axis = x.shape[0], _inner_axis(x)
        return x.movedim(1, ctx.axis).index_select(0, index).movedim(ctx.axis, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        gradient = gradients[0].movedim(1, ctx.axis).contiguous()
        whole = gradient.new_zeros((ctx.n_rows, *gradient.shape[1:]))
        return whole.index_copy_(0, index, gradient).movedim(ctx.axis, 1), None


def _inner_axis(x: Tensor) -> int:
    """Where the channels lie in memory: innermost, or outside of rows and columns."""
    return -1 if x.is_contiguous(memory_format=torch.channels_last) else 1


def pick_rows(x: Tensor, index: Tensor) -> Tensor:
    """Samples of a batch.

    Parameters
    ----------
    x
        (B, C, H, W).
    index
        (n,) int64, no row twice.

    Returns
    -------
    Tensor
        (n, C, H, W), channels last in memory if ``x`` is.
    """
    picked: Tensor = _PickRows.apply(x, index)  # type: ignore[no-untyped-call]
    return picked
