"""Configurations in TOML, and the reference page that lists their keys."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from pathloop.core import DataError
from pathloop.learn import AugmentConfig, DataConfig, FitConfig, TrainConfig
from pathloop.networks import NetworkConfig

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "training-config.md"

SMALL = """
name = "mine"
[[data]]
kind = "folder"
path = "images"
um_per_px = 0.5
[[data]]
kind = "glas"
path = "/data/glas"
"""


def read(folder: Path, text: str) -> TrainConfig:
    file = folder / "train.toml"
    file.write_text(text, encoding="utf-8")
    return TrainConfig.read(file)


def test_relative_data_paths_start_at_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, SMALL)
    assert [one.path for one in found.data] == [tmp_path / "images", Path("/data/glas")]
    assert found.name == "mine"


@pytest.mark.parametrize(
    ("change", "clue"),
    [
        ("stepz = 3", "stepz"),
        ("[fit]\nbatchsize = 3", "fit.batchsize"),
        ("[augment]\nscale = [1.2, 0.8]", "augment"),
        ('[[data]]\nkind = "glas"\npath = "x"\nzoom = [1.2, 0.8]', "zoom must hold"),
        ("[fit]\npatch_px = 100", "fit.patch_px must be a multiple of 32"),
        ("[fit]\npatch_side_px = 100", "fit.patch_side_px must be a multiple of the tissue cell, 128"),
        ("train_folds = [0, 1]", "must not share a fold"),
        ("train_folds = [3]", "folds must lie in 0..2"),
        ("seed = -1", "seed"),
        ('init_from = "fast"\nencoder_from = "resnet18.pth"', "init_from or encoder_from, not both"),
        ("[fit]\nbatch = 1\npatch_px = 32", "fit.batch must be at least 2"),
        ("[fit]\npatch_batch = 1", "fit.patch_batch must be at least 2"),
        ("[fit]\nsteps = 0", "fit.steps"),
    ],
)
def test_wrong_keys_are_named(tmp_path: Path, change: str, clue: str) -> None:
    text = SMALL + change if change.startswith("[") else change + SMALL
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert clue in message
    assert "train.toml" in message
    assert "\n" not in message


def test_no_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data"):
        read(tmp_path, 'name = "x"')


def test_example_parses() -> None:
    found = TrainConfig.read(ROOT / "examples" / "train_fast.toml")
    assert found.name == "fast"
    assert found.network.stem_stride == 2
    assert set(found.train_folds) & set(found.validation_folds) == set()


def test_defaults_are_the_published_training() -> None:
    fit = FitConfig()
    assert (fit.steps, fit.batch, fit.patch_px, fit.segmentation_share) == (90_000, 27, 448, 0.7)
    assert (fit.optimizer, fit.learning_rate, fit.schedule, fit.dice) == ("adam", 1e-3, "step", 0.0)


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, pathloop.learn; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """Key -> (type, default) of the table under a heading of the page."""
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = next(part for part in section if part.startswith(heading + "\n"))
    found = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| .+ \|$", text, flags=re.MULTILINE)
    return {key: (kind, default) for key, kind, default in found}


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Top level", TrainConfig),
        ("`[[data]]`", DataConfig),
        ("`[fit]`", FitConfig),
        ("`[augment]`", AugmentConfig),
        ("`[architecture]`", NetworkConfig),
    ],
)
def test_page_lists_every_key_with_its_default(heading: str, model: type[BaseModel]) -> None:
    listed = rows(heading)
    assert set(listed) == set(model.model_fields)
    for name, field in model.model_fields.items():
        default = listed[name][1]
        if field.is_required():
            assert default == "required"
        elif isinstance(field.default, bool | int | float | str) and not isinstance(field.default, BaseModel):
            shown = f'"{field.default}"' if isinstance(field.default, str) else f"{field.default}"
            assert default.replace(",", "").strip("`") == shown, name
        elif field.default is None:
            assert default == "none"
        elif isinstance(field.default, tuple):
            assert default.strip("`") == str(list(field.default)), name


def test_toml_blocks_of_the_page_parse(tmp_path: Path) -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        assert read(tmp_path, block).data
