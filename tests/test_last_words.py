"""The plugin that tells how a test process was lost."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them"),
]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("ctypes.string_at(0)", "ended by signal 11"),
        ("ctypes.CDLL(None).exit(3)", "ended by signal 6" if sys.platform == "linux" else "exit status 3"),
        ("os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("os._exit(4)", "exit status 4"),
    ],
)
def test_a_lost_process_says_how_it_ended(tmp_path, way, words):
    test = tmp_path / "test_it.py"
    # threads that wait have stacks too, which come after that of the one that died
    waiting = "".join(
        f"    threading.Thread(target=threading.Event().wait, daemon=True).start()  # {n}\n" for n in range(9)
    )
    text = f"import ctypes, os, threading\n\ndef test_lives():\n{waiting}\ndef test_dies():\n    {way}\n"
    test.write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-n", "1", "--max-worker-restart=0", "-p", "last_words", "-p", "no:xvfb"]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--rootdir", tmp_path, test],
        cwd=Path(__file__).parent,  # where the plugin lies
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert run.returncode == 1
    _, told = run.stdout.split(" lost test process ")
    assert "test_it.py::test_dies began" in told
    assert f"gw0: {words}" in told
    if "signal 9" not in words and "status" not in words:
        assert "in test_dies" in told
