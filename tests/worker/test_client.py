"""The client against processes that behave in every way, written as one-liners."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conversations import conversation

from pathloop.core import Failed, PathloopError, Rect, RunIdle
from pathloop.loop import MapsRequest, SegmentJobRequest, WorkerClient, _client

TALKER = """
import sys
for line in sys.stdin:
    if '"quit"' in line:
        break
    print(line.rstrip()[:-1] + ', "kind": "heard"}', flush=True)
"""


@pytest.fixture
def speaking(monkeypatch):
    """Have the client start this Python code in place of the worker."""

    def behave(code):
        monkeypatch.setattr(_client, "COMMAND", ("-c", code))

    return behave


def test_requests_are_lines(speaking, tmp_path, monkeypatch):
    speaking(TALKER)
    monkeypatch.chdir(tmp_path)
    with conversation() as (client, heard):
        assert client.prepare(model="m", tasks=("nuclei",)) == 1
        request = SegmentJobRequest(Path("a.svs"), Path("p"), "a", region=Rect(1, 2, 3, 4), tasks=("gland",))
        assert client.segment(request) == 2
        client.look(Rect(0, 1, 2, 3))
        client.look(None)
        client.pause(2)
        client.resume(2)
        client.cancel(2)
        client.gentle(on=True)
        assert client.maps(MapsRequest(Path("a.svs"), Rect(1, 2, 3, 4), Path("f"), um_per_px=0.25)) == 3
        heard.wait(lambda told: told[1].get("do") == "maps")
    requests = [values for _, values in heard.all]
    assert [job for job, _ in heard.all] == [1, 2, 0, 0, 2, 2, 2, 0, 3]
    assert requests[0] == {
        "do": "prepare",
        "job": 1,
        "model": "m",
        "device": "auto",
        "tasks": ["nuclei"],
        "kind": "heard",
    }
    assert requests[1] | {"slide": str(tmp_path / "a.svs"), "project": str(tmp_path / "p")} == requests[1]
    assert (requests[1]["region"], requests[1]["view"], requests[1]["tasks"]) == ([1, 2, 3, 4], None, ["gland"])
    assert [(one["do"], one.get("view")) for one in requests[2:4]] == [("look", [0, 1, 2, 3]), ("look", None)]
    assert [one["do"] for one in requests[4:]] == ["pause", "resume", "cancel", "gentle", "maps"]
    paths = {"slide": str(tmp_path / "a.svs"), "folder": str(tmp_path / "f")}
    boxes = {"rect": [1, 2, 3, 4], "first": None}
    assert requests[-1] | paths | boxes == requests[-1]


def test_a_death_is_told_at_once_and_in_words(speaking):
    speaking(TALKER)
    with conversation() as (client, heard):
        client.start()
        pid = client.pid
        assert client.is_running
        client.start()
        assert client.pid == pid
        client.look(None)
        heard.wait(lambda told: told[0] == 0)
        os.kill(pid, signal.SIGKILL)
        _, code, text = heard.wait(lambda told: told[0] == "exit", timeout=5)
        assert code == -9
        assert text == (
            "The segmentation process ended unexpectedly (killed by signal 9, perhaps for lack of memory)."
            " Finished tiles are kept: press Resume to go on."
        )
        assert not client.is_running
        assert client.pid is None
        for call in (client.pause, client.resume, client.cancel):
            call(1)
        client.look(None)
        # asking for something starts a fresh one
        assert client.prepare() == 1
        assert client.pid not in (None, pid)
        heard.wait(lambda told: told[0] == 1)


def test_the_last_lines_of_an_unhappy_process_are_told(speaking):
    speaking("import sys; sys.stderr.write(''.join(f'line {n}\\n' for n in range(50)) + '\\xff'); sys.exit(3)")
    with conversation() as (client, heard):
        client.start()
        _, code, text = heard.wait(lambda told: told[0] == "exit")
    first, said, *lines = text.splitlines()
    assert code == 3
    assert first.endswith("(exit code 3). Finished tiles are kept: press Resume to go on.")
    assert said == "It said last:"
    assert len(lines) == _client.KEPT_LINES
    assert "line 49" in lines


def test_an_end_that_was_asked_for_is_silent(speaking):
    speaking(TALKER)
    with conversation() as (client, heard):
        client.start()
        client.stop()
        assert not client.is_running
        client.stop()
        client.start()
        client.kill()
        assert not client.is_running
    assert heard.all == []


def test_a_process_that_does_not_leave_is_killed(speaking):
    speaking(
        "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); time.sleep(60)"
    )
    with conversation() as (client, heard):
        client.start()
        heard.wait(lambda told: told == (0, {}))
        started = time.monotonic()
        client.stop(timeout=0.3)
        assert 0.3 <= time.monotonic() - started < 5
    assert heard.all == [(0, {})]


def test_a_process_that_closes_its_output_is_ended(speaking, monkeypatch):
    monkeypatch.setattr(_client, "GRACE_S", 0.3)
    speaking("import os, time; os.close(1); time.sleep(60)")
    with conversation() as (client, heard):
        client.start()
        heard.wait(lambda told: told[0] == "exit")
        assert not client.is_running


def test_a_pipe_that_breaks_is_no_error(speaking):
    speaking("import os, time; os.close(0); print('{}', flush=True); time.sleep(0.5); os._exit(4)")
    with conversation() as (client, heard):
        client.start()
        heard.wait(lambda told: told == (0, {}))
        for _ in range(3):
            client.look(None)
        assert heard.wait(lambda told: told[0] == "exit")[1] == 4


def test_lines_that_are_no_events_and_callbacks_that_raise_do_not_stop_the_news(speaking, caplog):
    lines = ["hello", "[1]", '{"job": 1, "kind": "new"}', '{"job": 2, "kind": "idle"}', '{"job": 3, "kind": "failed"}']
    lines += ['{"job": 4, "kind": "failed", "message": "m", "exit_code": 1}']
    speaking("import sys; print({!r}, flush=True); sys.stdin.read()".format("\n".join(lines)))
    heard = []

    def on_event(job, event):
        heard.append((job, event))
        if job == 2:
            raise ValueError("no")

    client = WorkerClient(on_event, lambda code, text: None)
    client.start()
    deadline = time.monotonic() + 10
    while len(heard) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    client.stop()
    assert heard == [
        (1, {"job": 1, "kind": "new"}),
        (2, RunIdle()),
        (3, {"job": 3, "kind": "failed"}),
        (4, Failed("m", 1)),
    ]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "not an event",
        "not an event",
        "the worker's news were not taken in",
    ]


def test_a_callback_may_end_the_process(speaking):
    speaking(TALKER)
    over = []

    def on_event(job, event):
        client.stop()
        over.append(client.is_running)

    client = WorkerClient(on_event, lambda code, text: over.append(text))
    client.prepare()
    deadline = time.monotonic() + 10
    while not over and time.monotonic() < deadline:
        time.sleep(0.01)
    assert over == [False]


def test_a_system_that_refuses_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(PathloopError, match="/nowhere/python: cannot start the segmentation process"):
        WorkerClient(print, print).start()


@pytest.mark.slow
def test_the_client_loads_no_engine():
    code = "import sys, pathloop.loop; sys.exit(bool({'torch', 'openvino', 'pathloop.worker'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
