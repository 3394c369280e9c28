"""Time stamps."""

from datetime import UTC, datetime

__all__ = ["now"]


def now() -> str:
    """The present time, ISO 8601, UTC, seconds."""
    return datetime.now(UTC).isoformat("T", "seconds")
