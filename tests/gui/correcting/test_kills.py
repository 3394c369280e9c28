"""kill -9 of a napari that is being corrected, at three random moments; `benchmarks/kill.py` does it fifty times."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

KILL = Path(__file__).parents[3] / "benchmarks" / "kill.py"


@pytest.mark.gui
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_three_kills_lose_nothing_but_the_edit_in_progress(qapp):
    done = subprocess.run(
        [sys.executable, KILL, "--times", "3", "--edits", "200", "--seed", "100"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 rounds lost nothing" in done.stdout
