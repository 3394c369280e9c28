"""Tables of numbers as text."""

import math
from collections.abc import Sequence

__all__ = ["aligned", "number", "with_interval"]


def aligned(rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Rows in columns: the first ``left`` columns to the left, the others, which hold numbers, to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def number(value: float) -> str:
    """Two digits; "-" where there is no value."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def with_interval(value: float, low: float, high: float) -> str:
    """``0.81 (0.74 to 0.88)``."""
    return "-" if math.isnan(value) else f"{value:.2f} ({low:.2f} to {high:.2f})"
