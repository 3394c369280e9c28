"""``python -m pathloop.gui.queueing._rank_process REQUEST``: rank in a process of its own, events as lines of JSON.

What the network looks at takes minutes and loads it, which must not happen in the window's process. The project is only
read here; the window stores what comes out.
"""

import contextlib
import json
import sys
from pathlib import Path

from pathloop.core import Event, Failed, PathloopError
from pathloop.loop.queue import NetworkPass, RankRequest, rank

__all__ = ["main", "request_line", "request_of"]


def request_line(project: Path, slide_id: str, strategy: str, count: int, device: str) -> str:
    """A request as the process takes it; `request_of` reads it."""
    return json.dumps([str(project), slide_id, strategy, count, device])


def request_of(line: str) -> RankRequest:
    """What `request_line` wrote."""
    project, slide_id, strategy, count, device = json.loads(line)
    return RankRequest(
        Path(project), (slide_id,), strategy, count=count, network=NetworkPass(device=device), store=False
    )


def main(line: str) -> int:
    """Run; 1 if it failed, which a `Failed` event tells."""
    try:
        with contextlib.closing(rank(request_of(line))) as events:
            for event in events:
                _tell(event)
    except PathloopError as error:
        _tell(Failed(str(error), 1))
        return 1
    except BrokenPipeError:  # the window is gone
        return 1
    return 0


def _tell(event: Event) -> None:
    print(event.to_json(), flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
