"""One JSON request in, events as JSON lines out."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

from pydantic import ValidationError, model_validator

from pathloop.core import DataError, Event, Failed, Rect, StrictConfig, UsageError, one_line
from pathloop.loop import DEFAULT_TILE_PX, SegmentRequest, segment
from pathloop.networks import DEFAULT_MODEL
from pathloop.worker._failures import failure
from pathloop.worker._gentle import lower_priority
from pathloop.worker._serve import serve

__all__ = ["SegmentJob", "TrainJob", "main"]

STOPPED = 130


class SegmentJob(StrictConfig):
    """The request of ``segment``: the fields of `pathloop.loop.SegmentRequest`; ``roi`` is [y, x, height, width]."""

    slides: tuple[Path, ...]
    project: Path
    model: str = DEFAULT_MODEL
    device: str = "auto"
    um_per_px: float | None = None
    roi: tuple[int, int, int, int] | None = None
    tasks: tuple[str, ...] | None = None
    use_tissue_mask: bool = True
    tile_px: int = DEFAULT_TILE_PX
    force: bool = False
    to_srgb: bool = False
    engine: str | None = None
    precision: str | None = None
    patchwise: bool = False
    look_first: bool = True

    def events(self) -> Generator[Event]:
        """The job."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        yield from segment(SegmentRequest(**values | {"roi": None if self.roi is None else Rect(*self.roi)}))


class TrainJob(StrictConfig):
    """The request of ``train``: a fine-tuning run, or a TOML configuration and what overrules it.

    Parameters
    ----------
    run
        Folder of a fine-tuning run of a project, ``PROJECT/runs/tune-NNNN``; nothing else is needed then.
    config
        TOML file; relative data paths start at its folder.
    output
        Folder of the run; None = as in the configuration.
    recipe
        ``train`` or another recipe's name.
    """

    run: Path | None = None
    config: Path | None = None
    output: Path | None = None
    recipe: str = "train"

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.run is None) == (self.config is None):
            raise ValueError("name either a run or a config")
        return self

    def events(self) -> Generator[Event]:
        """The job."""
        # a worker that segments starts sooner without it
        from pathloop.learn import RECIPES, TrainConfig
        from pathloop.loop.tuning import tune

        if self.run is not None:
            # it works beside a window and may outlive it
            lower_priority()
            yield from tune(self.run)
        elif self.config is not None:
            config = TrainConfig.read(self.config)
            if self.output is not None:
                config = config.model_copy(update={"output": self.output})
            yield from RECIPES.resolve(self.recipe)(config)


JOBS: dict[str, type[SegmentJob] | type[TrainJob]] = {"segment": SegmentJob, "train": TrainJob}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job, or with ``segment --serve`` the jobs that come as lines on standard input.

    Every line on standard output is a JSON object with a ``kind``: an event, or at the end of a job that went wrong
    ``{"kind": "failed", "message": ..., "exit_code": ...}``. SIGTERM stops like Ctrl-C: what is finished is recorded.

    Returns
    -------
    int
        0 done, 1 failed, 2 wrong request, 130 stopped.
    """
    with contextlib.suppress(ValueError):  # handlers can be set in the main thread only
        signal.signal(signal.SIGTERM, _stop)
    try:
        options = _options(arguments)
        if options.serve:
            serve()
        job = _job(options)
        with contextlib.closing(job.events()) as events:
            for event in events:
                print(event.to_json(), flush=True)  # noqa: T201
    except KeyboardInterrupt:
        return _failed(Failed("stopped; the same request goes on", STOPPED))
    except BrokenPipeError:
        # nobody reads any more, so nobody can be told
        sys.stderr.write("pathloop: the reader of this job's events is gone\n")
        return 1
    except Exception as error:  # noqa: BLE001 - whoever listens must hear of it
        return _failed(failure(error))
    return 0


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _failed(event: Failed) -> int:
    print(event.to_json(), flush=True)  # noqa: T201
    return event.exit_code


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage like any other failure."""

    def error(self, message: str) -> NoReturn:
        """Raise."""
        raise UsageError(message)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m pathloop.worker", description=__doc__)
    parser.add_argument("job", choices=tuple(JOBS))
    parser.add_argument("--request", type=Path, metavar="FILE", help="JSON request (default: standard input)")
    parser.add_argument("--serve", action="store_true", help="stay, and take requests as JSON lines (segment only)")
    options = parser.parse_args(arguments)
    if options.serve and (options.job != "segment" or options.request is not None):
        raise UsageError("--serve goes with 'segment' and takes its requests from standard input")
    return options


def _job(options: argparse.Namespace) -> SegmentJob | TrainJob:
    source = "standard input" if options.request is None else str(options.request)
    try:
        text = sys.stdin.read() if options.request is None else options.request.read_text(encoding="utf-8")
        return JOBS[options.job].model_validate_json(text, strict=True)
    except ValidationError as error:
        raise UsageError(f"{source}: {one_line(error)}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: not UTF-8 text") from error
