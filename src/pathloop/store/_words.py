"""Objects in words."""

__all__ = ["counted", "named"]

_SINGULAR = {"nuclei": "nucleus"}
_PLURAL = {"lumen": "lumina"}


def counted(task: str, n: int) -> str:
    """A number of objects in words.

    Examples
    --------
    >>> counted("gland", 2), counted("nuclei", 1), counted("lumen", 3000)
    ('2 glands', '1 nucleus', '3,000 lumina')
    """
    if n == 1:
        return f"1 {_SINGULAR.get(task, task)}"
    plural = task if task in _SINGULAR else _PLURAL.get(task, f"{task}s")
    return f"{n:,} {plural}"


def named(task: str, object_id: int) -> str:
    """One object in words.

    Examples
    --------
    >>> named("nuclei", 7)
    'nucleus 7'
    """
    return f"{_SINGULAR.get(task, task)} {object_id}"
