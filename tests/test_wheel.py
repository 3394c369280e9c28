"""The built wheel works on its own: command, bundled model, sample slide."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_wheel_holds_everything_and_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    assert "pathloop/networks/bundled/fast/weights.safetensors" in names
    assert "pathloop/_sample_data/colon_sample.tif" in names
    assert not [name for name in names if name.startswith(("tests/", "sample_data/"))]
    script = (
        "import pathloop, sys; from pathloop.cli import main; from pathloop.synth import sample_slide_path;"
        "print(pathloop.__file__); sys.exit(main(['info', str(sample_slide_path())]))"
    )
    env = {**os.environ, "PYTHONPATH": str(site)}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=env, cwd=tmp_path, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert str(site) in ran.stdout
    assert "um per px     0.5000" in ran.stdout
