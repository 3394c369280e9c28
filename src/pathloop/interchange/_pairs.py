"""Which predicted file belongs to which truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathloop.core import DataError, UsageError

__all__ = ["FilePair", "files_beside", "pair_files"]

# What a folder is searched for. JPEG is no label format: it changes ids.
_LABEL_SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".png", ".bmp", ".pgm")
_POINT_SUFFIX = ".csv"


@dataclass(frozen=True, slots=True)
class FilePair:
    """A predicted file and its truth.

    Parameters
    ----------
    name
        What they have in common: the path relative to the folder, or the stem, without the task.
    pred, truth
        The files.
    """

    name: str
    pred: Path
    truth: Path


def pair_files(pred: Sequence[Path], truth: Sequence[Path], *, task: str) -> tuple[FilePair, ...]:
    """Pair predictions with truths by path relative to the folder, else by stem.

    A trailing ``_<task>`` does not count as part of a stem. A folder is searched with its sub-folders for label
    images and point tables (``.csv``); if any stem in it ends with ``_<task>``, only such files are taken, so that
    a folder written by ``pathloop export`` may hold other tasks too.

    Parameters
    ----------
    pred, truth
        One folder, or files; both non-empty.
    task
        Name of the task.

    Returns
    -------
    pairs
        Ordered by name; at least one.

    Raises
    ------
    DataError
        If a path does not exist, a folder holds no such file, or a file is ambiguous or without partner; the file
        is named.
    UsageError
        If a folder is given together with other paths.
    """
    found_pred, found_truth = _keyed(pred, task, "--pred"), _keyed(truth, task, "--truth")
    pairs = [FilePair(key, found_pred[key], found_truth[key]) for key in found_pred.keys() & found_truth.keys()]
    by_stem_pred = _by_stem({key: path for key, path in found_pred.items() if key not in found_truth})
    by_stem_truth = _by_stem({key: path for key, path in found_truth.items() if key not in found_pred})
    _require_partners(by_stem_pred, by_stem_truth, "--truth", task)
    _require_partners(by_stem_truth, by_stem_pred, "--pred", task)
    pairs += [FilePair(stem, by_stem_pred[stem], by_stem_truth[stem]) for stem in by_stem_pred]
    return tuple(sorted(pairs, key=lambda pair: pair.name))


def files_beside(
    paths: Sequence[Path], pairs: Sequence[FilePair], *, option: str, endings: Sequence[str]
) -> tuple[Path, ...]:
    """One more file for each pair, for example the classes of its objects.

    Found as in `pair_files`, by path relative to the folder, else by stem; a trailing ending does not count, and of a
    folder that holds files with the first ending that occurs at all, only those are taken.

    Parameters
    ----------
    paths
        One folder, or files; non-empty.
    pairs
        What they belong to.
    option
        What the user calls them, for messages.
    endings
        Trailing parts of a stem, without "_".

    Raises
    ------
    DataError
        If a path does not exist, or a pair has no file or several; files that belong to no pair are left alone.
    UsageError
        If a folder is given together with other paths.
    """
    for ending in endings:
        found = _keyed(paths, ending, option)
        if any(_stem(path).endswith(f"_{ending}") for path in found.values()):
            break
    by_stem: dict[str, list[Path]] = {}
    for key, path in found.items():
        by_stem.setdefault(Path(key).name, []).append(path)
    return tuple(_beside(pair, found, by_stem, option, endings) for pair in pairs)


def _beside(
    pair: FilePair, found: dict[str, Path], by_stem: dict[str, list[Path]], option: str, endings: Sequence[str]
) -> Path:
    if pair.name in found:
        return found[pair.name]
    same = by_stem.get(Path(pair.name).name, [])
    if len(same) == 1:
        return same[0]
    if same:
        raise DataError(f"{same[1]}: ambiguous, {option} also holds {same[0]} of the same name; keep one of them")
    stem = Path(pair.name).name
    raise DataError(f"{pair.pred}: no file named {' or '.join([stem, *(f'{stem}_{e}' for e in endings)])} in {option}")


def _keyed(paths: Sequence[Path], task: str, option: str) -> dict[str, Path]:
    """Files by their relative path (or, for single files, name) without suffix and task."""
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder ({option})")
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise UsageError(f"{option} takes one folder or any number of files; {folders[0]} is a folder among others")
    if folders:
        files = _files_in(folders[0], task)
        return _unique(((_key(path.relative_to(folders[0]), task), path) for path in files), option)
    return _unique(((_key(Path(path.name), task), path) for path in paths), option)


def _files_in(folder: Path, task: str) -> list[Path]:
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name.lower().endswith((*_LABEL_SUFFIXES, _POINT_SUFFIX))
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    of_task = [path for path in files if _stem(path).endswith(f"_{task}")]
    if not files:
        raise DataError(f"{folder}: holds no label image ({', '.join(_LABEL_SUFFIXES[2:])}) and no point table (.csv)")
    return of_task or files


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (*_LABEL_SUFFIXES, _POINT_SUFFIX):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def _key(relative: Path, task: str) -> str:
    return (relative.parent / (_stem(relative).removesuffix(f"_{task}") or _stem(relative))).as_posix()


def _unique(items: Iterable[tuple[str, Path]], option: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for key, path in items:
        if key in found:
            raise DataError(f"{path}: ambiguous, {option} also holds {found[key]} of the same name; keep one of them")
        found[key] = path
    return found


def _by_stem(files: dict[str, Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for key, path in files.items():
        stem = Path(key).name
        if stem in found:
            raise DataError(
                f"{path}: ambiguous, {found[stem]} has the same stem and neither has a partner at the same place; "
                "give both folders the same sub-folders"
            )
        found[stem] = path
    return found


def _require_partners(own: dict[str, Path], other: dict[str, Path], missing_in: str, task: str) -> None:
    alone = sorted(own.keys() - other.keys())
    if alone:
        more = f" (and {len(alone) - 1} more files without partner)" if len(alone) > 1 else ""
        raise DataError(
            f"{own[alone[0]]}: no file named {alone[0]} or {alone[0]}_{task} in {missing_in}{more}; "
            "add it, or leave this file out"
        )
