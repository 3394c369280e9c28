"""Fixtures that every room's tests share."""

import contextlib
import importlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile(
    "pathloop", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
# of `.ci/run --quick`
settings.register_profile("quick", settings.get_profile("pathloop"), max_examples=5)
settings.load_profile("pathloop")


# beside other tests, workers of the lowest priority would hardly get on
os.environ.setdefault("PATHLOOP_NICENESS", "0")


QT_PACKAGES = (
    "xvfb xauth libegl1 libgl1 libopengl0 libgl1-mesa-dri libglx-mesa0 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0"
    " libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1"
    " libdbus-1-3 libfontconfig1 libglib2.0-0"
)


def _no_windows() -> str | None:
    """Why no window can be opened here; None if one can."""
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as error:
        return f"Qt cannot be loaded ({error}); on Debian install: {QT_PACKAGES}"
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and not shutil.which("Xvfb"):
        return f"no display and no Xvfb; on Debian install: {QT_PACKAGES}"
    return None


NO_WINDOWS = _no_windows()
# pytest-qt ends the whole run where Qt cannot be loaded, so it is asked for only where it can
pytest_plugins = ["last_words"] if NO_WINDOWS else ["last_words", "pytestqt.plugin"]

if NO_WINDOWS is None:
    # the canvas of Qt's offscreen platform stays black without a word
    os.environ.pop("QT_QPA_PLATFORM", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the setting of pytest-qt where that is not loaded: a strict configuration refuses unknown ones."""
    if NO_WINDOWS is not None:
        parser.addini("qt_api", "which Qt the windows use; none can be opened here")


def pytest_configure(config: pytest.Config) -> None:
    """Replace no lost process, and mind Ctrl+C."""
    if getattr(config.option, "maxworkerrestart", "") is None:
        # with the rest of its file xdist waits for ever
        config.option.maxworkerrestart = "0"
    if sys.platform != "win32":
        # ignored where the tests run in the background of a script, and then by the commands that they start
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a window where there can be none."""
    if NO_WINDOWS is not None:
        for item in items:
            if item.get_closest_marker("gui"):
                item.add_marker(pytest.mark.skip(reason=NO_WINDOWS))


def real_data() -> Path:
    """The folder of real images: PATHLOOP_DATA, else ../shared/data beside the repository."""
    return Path(os.environ.get("PATHLOOP_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real images, or a skip that says how to get it."""
    folder = real_data()
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}: set PATHLOOP_DATA to their folder")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(20261120)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # converted networks stay out of the user's cache; one for all rooms, since the first conversion takes seconds
    before = os.environ.get("PATHLOOP_CACHE")
    os.environ["PATHLOOP_CACHE"] = str(tmp_path_factory.getbasetemp() / "engine-cache")
    yield
    if before is None:
        del os.environ["PATHLOOP_CACHE"]
    else:
        os.environ["PATHLOOP_CACHE"] = before
