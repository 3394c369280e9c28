"""Models in the panel's list: what their licence forbids is said there."""

import shutil

import pytest

from pathloop.gui.running import card_text
from pathloop.gui.running._words import model_names
from pathloop.networks import add_model, find_model, known_models, read_card, write_card

LICENCE = "CC BY-NC-SA 4.0"


@pytest.fixture
def bound(tmp_path, monkeypatch):
    """A folder of the user's models with one that allows research only, and one that is damaged."""
    monkeypatch.setenv("PATHLOOP_CONFIG", str(tmp_path / "config"))
    folder = shutil.copytree(find_model("fast"), tmp_path / "bound")
    write_card(folder, read_card(folder).model_copy(update={"licence": LICENCE}))
    add_model(folder, "bound")
    _, place = add_model(folder, "broken")
    (place / "weights.safetensors").write_bytes(b"")
    return folder


def test_lists_mark_what_is_for_research_only(bound):
    assert model_names(known_models()) == [
        ("fast", "fast"),
        ("bound", "bound (research only)"),
        ("broken", "broken"),
    ]
    assert model_names([f"{bound}/", "gone"]) == [(f"{bound}/", "bound (research only)"), ("gone", "gone")]


def test_the_card_says_so_first(bound):
    assert card_text(read_card(bound)).splitlines()[0] == f"Research only: {LICENCE}."
    assert "Research only:" not in card_text(read_card(find_model("fast")))
