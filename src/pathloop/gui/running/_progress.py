"""Progress of a run in words."""

from pathloop.core import TileDone

__all__ = ["duration", "estimate", "progress_text"]


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    Examples
    --------
    >>> duration(0.4), duration(50), duration(130), duration(7300)
    ('less than 1 s', '50 s', '2 min 10 s', '2 h 2 min')
    """
    if seconds < 1:
        return "less than 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def estimate(area_mm2: float | None, s_per_mm2: float | None) -> str:
    """What a run will take, as far as it can be told."""
    if area_mm2 is None:
        return "Area not known yet"
    if s_per_mm2 is None:
        return f"{area_mm2:.3g} mm\u00b2 to do"
    seconds = area_mm2 * s_per_mm2
    return f"{area_mm2:.3g} mm\u00b2, takes {'about ' if seconds >= 1 else ''}{duration(seconds)}"


def progress_text(event: TileDone, *, live: bool) -> str:
    """``12 of 40 tiles, 1.76 mm2, 1.3 s/mm2, 40 s left``; of a live run, which has no end, its pace."""
    if live:
        return f"Live: {event.s_per_mm2:.2g} s/mm\u00b2"
    words = [f"{event.n_done:,} of {event.n_tiles:,} tiles", f"{event.done_mm2:.3g} mm\u00b2"]
    words.append(f"{event.s_per_mm2:.2g} s/mm\u00b2")
    if event.eta_s is not None:
        words.append(f"{duration(event.eta_s)} left")
    return ", ".join(words)
