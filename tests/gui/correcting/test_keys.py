"""Keys: one list for buttons, settings and the cheat sheet."""

from pathlib import Path

import yaml

from pathloop.gui.correcting import ACTIONS, cheat_sheet, keys_of

ROOT = Path(__file__).parents[3]
TAKEN_BY_NAPARI = set("LXMZBV-=")
"""Letters that napari's Labels layers use for something that correcting does not replace."""


def test_the_cheat_sheet_is_the_one_in_the_docs():
    page = (ROOT / "docs" / "reference" / "keys.md").read_text(encoding="utf-8")
    assert cheat_sheet(keys_of({})).strip() in page


def test_the_manifest_offers_every_key():
    manifest = yaml.safe_load((ROOT / "src" / "pathloop" / "napari.yaml").read_text(encoding="utf-8"))
    offered = manifest["contributions"]["configurations"]["keys"]["properties"]
    assert {name: one["default"] for name, one in offered.items()} == {one.name: one.key for one in ACTIONS}


def test_no_key_twice_and_none_that_napari_needs():
    keys = [one.key for one in ACTIONS]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & TAKEN_BY_NAPARI


def test_settings_beat_defaults():
    keys = keys_of({"brush": "B", "wand": ""})
    assert keys["brush"] == "B"
    assert keys["wand"] == ""
    assert keys["eraser"] == "E"
