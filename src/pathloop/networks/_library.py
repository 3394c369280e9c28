"""The models that are known by name: those that came with the package, and those that the user added.

A model is a folder with a card and weights, so adding and exporting are copies. Imports no torch.
"""

import re
import shutil
from importlib import resources
from pathlib import Path

from pathloop.core import ModelError, UsageError, config_folder, new_folder
from pathloop.networks._card import CARD_NAME, ModelCard, read_card, write_card

__all__ = ["add_model", "added_models", "bundled_models", "export_model", "find_model", "known_models", "models_folder"]

RESERVED = ("add", "export")
"""Words of ``pathloop models`` that cannot be a model's name."""
_FIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def bundled_models() -> dict[str, Path]:
    """Name and folder of every model that came with the package."""
    return _models_in(Path(str(resources.files("pathloop.networks"))) / "bundled")


def models_folder() -> Path:
    """Where models that the user added lie, a folder each; it need not exist."""
    return config_folder() / "models"


def added_models() -> dict[str, Path]:
    """Name and folder of every model that the user added, but for those that have a bundled model's name."""
    bundled = bundled_models()
    return {name: folder for name, folder in _models_in(models_folder()).items() if name not in bundled}


def known_models() -> dict[str, Path]:
    """Name and folder of bundled and added models, the bundled ones first."""
    return bundled_models() | added_models()


def find_model(name_or_folder: str | Path) -> Path:
    """The folder of a bundled or added model by name, or the folder itself.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    models = known_models()
    if str(name_or_folder) in models:
        return models[str(name_or_folder)]
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    known = ", ".join(models) or "none"
    raise ModelError(f"no model {str(name_or_folder)!r}: neither a model known by name ({known}) nor a folder")


def add_model(folder: Path, name: str | None = None) -> tuple[str, Path]:
    """Copy a model folder into the user's models, so that it is known by name. It appears whole or not at all.

    Parameters
    ----------
    folder
        A model folder; it may be taken away afterwards.
    name
        How it shall be called; None = as its card says.

    Returns
    -------
    tuple
        Its name and where it lies now. The same model under the same name again changes nothing.

    Raises
    ------
    ModelError
        If the folder is no model, or the name belongs to another model.
    UsageError
        If the name cannot be one.
    """
    card = read_card(folder)
    name = name or card.name
    if not _FIT.fullmatch(name) or name in RESERVED:
        raise UsageError(f"{name!r} cannot be a model's name (letters, digits, . _ -); give one with --name")
    if name in bundled_models():
        raise ModelError(f"{name!r} is the name of a bundled model; give another one with --name")
    target = models_folder() / name
    if (target / CARD_NAME).is_file():
        if read_card(target).checksum == card.checksum:
            return name, target
        raise ModelError(
            f"{target}: holds another model of this name; give another one with --name, or delete that folder"
        )
    _copy(folder, target, card.model_copy(update={"name": name}))
    return name, target


def export_model(name_or_folder: str | Path, target: Path) -> Path:
    """Copy a model to a folder of its own, to be taken to another computer. It appears whole or not at all.

    Parameters
    ----------
    name_or_folder
        As `find_model` takes it.
    target
        The folder to make; it must not exist, or be empty.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError
        If there is no such model, it is damaged, or something is at the target already.
    """
    folder = find_model(name_or_folder)
    _copy(folder, target, read_card(folder))
    return target


def _copy(folder: Path, target: Path, card: ModelCard) -> None:
    """Copy all files of a model, with this card."""
    if target.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{target}: lies inside the model folder; name a folder elsewhere")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ModelError(f"{target}: exists already; name a folder that does not")
    try:
        with new_folder(target) as building:
            shutil.copytree(folder, building, dirs_exist_ok=True, copy_function=shutil.copyfile)
            write_card(building, card)
            read_card(building)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{target}: the model cannot be copied here ({reason})") from error


def _models_in(root: Path) -> dict[str, Path]:
    return {folder.name: folder for folder in sorted(root.glob("[!.]*")) if (folder / CARD_NAME).is_file()}
