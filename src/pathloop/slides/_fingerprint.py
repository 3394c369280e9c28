"""The identity of a slide's content, cheap to compute for files of any size."""

import hashlib
from pathlib import Path

from pathloop.core import SlideError

__all__ = ["dicom_fingerprint", "file_fingerprint"]

SAMPLE_BYTES = 2**20


def file_fingerprint(path: Path) -> str:
    """SHA-256 over the file's size and its first, middle and last MiB; independent of path and file name.

    Parameters
    ----------
    path
        The slide. For MIRAX (``.mrxs``) the names and sizes of the files in the folder beside it count too.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    SlideError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        digest.update(f"pathloop-slide-1:{size}".encode())
        with path.open("rb") as file:
            for start in (0, max(0, (size - SAMPLE_BYTES) // 2), max(0, size - SAMPLE_BYTES)):
                file.seek(start)
                digest.update(file.read(SAMPLE_BYTES))
        if path.suffix.lower() == ".mrxs":
            for part in sorted(path.with_suffix("").rglob("*")):
                if part.is_file():
                    name = part.relative_to(path.with_suffix("")).as_posix()
                    digest.update(f"\n{name}:{part.stat().st_size}".encode())
    except OSError as error:
        raise SlideError(f"{path}: cannot be read ({error.strerror or error})") from error
    return digest.hexdigest()


def dicom_fingerprint(series: str, instance: str, shape: tuple[int, int]) -> str:
    """Identity of a DICOM series by its UID and that of its finest level: no other ones in the world are equal."""
    return hashlib.sha256(f"pathloop-dicom-1:{series}:{instance}:{shape}".encode()).hexdigest()
