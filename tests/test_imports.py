"""What importing a package loads, and what it exports."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import pathloop

pytestmark = pytest.mark.slow

HEAVY = ("torch", "openvino")
WINDOWS = ("qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "superqt", "magicgui", "napari", "vispy")


def module_names():
    found = pkgutil.walk_packages(pathloop.__path__, "pathloop.")
    return ["pathloop", *(one.name for one in found if not one.name.endswith("__main__"))]


PACKAGES = [name for name in module_names() if hasattr(importlib.import_module(name), "__path__")]


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def refusing(names, code):
    """Code that runs where importing any of these packages fails."""
    return f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise AssertionError(name + " is imported")
sys.meta_path.insert(0, Refuse())
{code}
"""


def test_packages_load_without_torch_and_openvino():
    code = "\n".join(f"import {name}" for name in PACKAGES)
    done = python(refusing(HEAVY, code))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["info", "{slide}"],
        ["models", "fast"],
        ["export", "{project}", "--format", "csv", "-o", "{out}"],
        ["evaluate", "--pred", "{image}", "--truth", "{image}", "--task", "gland"],
    ],
    ids=lambda words: words[0],
)
def test_commands_run_without_torch_and_openvino(words, tmp_path):
    from pathloop.store import Project
    from pathloop.synth import write_slide

    Project.create(tmp_path / "p").close()
    write_slide(tmp_path / "s.tif", (64, 64), truth_dir=tmp_path)
    places = {"slide": "s.tif", "project": "p", "out": "out", "image": "s_gland.tif"}
    words = [word.format(**{name: tmp_path / place for name, place in places.items()}) for word in words]
    done = python(refusing(HEAVY, f"from pathloop.cli import main\nsys.exit(main({words!r}))"))
    # the project is empty, which is an error of its own
    assert (done.returncode, done.stderr.count("\n")) == ((1, 1) if words[0] == "export" else (0, 0)), done.stderr


def test_modules_outside_the_gui_load_without_windows():
    names = [name for name in module_names() if not name.startswith("pathloop.gui")]
    assert len(names) > 100
    done = python(refusing(WINDOWS, "\n".join(f"import {name}" for name in names)))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PACKAGES)
def test_exports_are_complete_sorted_and_there(name):
    package = importlib.import_module(name)
    assert package.__doc__
    if name == "pathloop.learn.recipes":
        return  # its modules load torch and are named by string
    exported = package.__all__
    # as ruff sorts: constants, classes, the rest
    order = sorted(exported, key=lambda one: (0 if one.isupper() else 1 if one[0].isupper() else 2, one))
    assert list(exported) == order
    assert len(set(exported)) == len(exported)
    public = {
        one
        for one, value in vars(package).items()
        if not one.startswith("_") and getattr(value, "__module__", "").startswith(f"{name}.")
    }
    assert public <= set(exported)
    assert all(hasattr(package, one) for one in exported)
