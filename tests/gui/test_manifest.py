"""The manifest is valid, names things that are there, and every setting is read somewhere."""

from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from napari.settings import get_plugin_settings
from npe2 import PluginManifest

import pathloop
from pathloop.gui._start import PANELS
from pathloop.gui.opening import GuiSettings, read_settings
from pathloop.slides import SLIDE_FOLDER_SUFFIXES, SLIDE_SUFFIXES

SOURCE = Path(pathloop.__file__).parent
KEYS = "keys"
"""Settings that are read as one mapping; tests/gui/correcting/test_keys.py compares them with the list of actions."""


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_file(SOURCE / "napari.yaml")


def test_what_it_says_of_itself(manifest):
    assert (manifest.name, manifest.display_name, str(manifest.visibility)) == ("pathloop", "pathloop", "public")
    assert manifest.categories


def test_every_command_is_there_and_imports_no_qt_unless_it_is_a_widget(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert ".widgets." in module or callable(getattr(import_module(module), name)), command.python_name


@pytest.mark.gui
def test_every_widget_is_there(manifest):
    pytest.importorskip("qtpy.QtWidgets", exc_type=ImportError)
    commands = {command.id: command.python_name for command in manifest.contributions.commands}
    for widget in manifest.contributions.widgets:
        module, _, name = commands[widget.command].partition(":")
        assert callable(getattr(import_module(module), name))
    assert set(PANELS) <= {widget.display_name for widget in manifest.contributions.widgets}
    assert PANELS == ("Slides", "Segment", "Look", "Objects", "Queue", "Correct", "Train")


def test_readers_claim_slides_and_projects_and_nothing_else(manifest):
    slides, folders, projects = manifest.contributions.readers
    assert tuple(slides.filename_patterns) == tuple(f"*{suffix}" for suffix in SLIDE_SUFFIXES)
    assert not slides.accepts_directories
    assert tuple(folders.filename_patterns) == tuple(f"*{suffix}" for suffix in SLIDE_FOLDER_SUFFIXES)
    assert folders.accepts_directories
    assert projects.filename_patterns == ["*.pathloop"]
    assert projects.accepts_directories


def test_menus_are_napari_s(manifest):
    from napari._app_model.constants import MenuId  # a test may look: menus that do not exist are silently left out

    assert set(manifest.contributions.menus) <= {str(one) for one in MenuId.contributables()}


def test_settings_are_the_same_in_both_places(manifest):
    listed = {
        (section, key): prop.default
        for section, configuration in manifest.contributions.configurations.items()
        if section != KEYS
        for key, prop in configuration.properties.items()
    }
    known = {
        (section.name, one.name): getattr(getattr(GuiSettings(), section.name), one.name)
        for section in fields(GuiSettings)
        if section.name != KEYS
        for one in fields(getattr(GuiSettings(), section.name))
    }
    assert listed == known


def test_every_setting_is_read(manifest):
    code = "\n".join(path.read_text(encoding="utf-8") for path in (SOURCE / "gui").rglob("*.py"))
    for section, configuration in manifest.contributions.configurations.items():
        for key in configuration.properties if section != KEYS else ():
            assert f".{section}.{key}" in code, f"{section}.{key}"


def test_settings_follow_napari(plugin_settings, npe2pm, manifest):
    assert read_settings() == GuiSettings()
    npe2pm.register(manifest)
    get_plugin_settings("pathloop").view.opacity = 0.25
    assert read_settings().view.opacity == 0.25
    assert read_settings().reading == GuiSettings().reading
