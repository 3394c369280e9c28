"""The base of every configuration that comes from a file or a command line."""

import tomllib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from pathloop.core._errors import DataError

__all__ = ["StrictConfig", "one_line"]


def one_line(error: ValidationError) -> str:
    """The problems of a validation error in one line, each with the key it belongs to."""
    parts = []
    for problem in error.errors():
        place = ".".join(str(item) for item in problem["loc"]) or "file"
        parts.append(f"{place}: {problem['msg']}")
    return "; ".join(parts)


class StrictConfig(BaseModel):
    """Frozen, strict about unknown keys; read from TOML or JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a TOML file.

        Raises
        ------
        DataError
            If the file is missing, is not TOML, or has wrong or unknown keys (all are named).
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file") from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DataError(f"{path}: not readable as TOML ({error})") from error
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise DataError(f"{path}: {one_line(error)}") from error
