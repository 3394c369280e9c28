"""What the worker computes with, loaded before it is needed."""

from collections.abc import Callable

from pathloop.core import Event, Failed, RunStarted, WorkerPrepared
from pathloop.loop import WorkerClient

__all__ = ["Computing"]

Wanted = tuple[str, str, tuple[str, ...] | None]


class Computing:
    """Has the worker load a model, and knows what came of it.

    Parameters
    ----------
    client
        The worker's client.
    told
        Told what went wrong.

    Attributes
    ----------
    engine, reason
        In words; empty until the worker has said it.
    s_per_mm2
        How quick it is; None until that is known.
    """

    def __init__(self, client: WorkerClient, told: Callable[[str], None]) -> None:
        self.engine = self.reason = ""
        self.s_per_mm2: float | None = None
        self._client, self._told = client, told
        self._wanted: Wanted | None = None
        self._refused: Wanted | None = None
        self._job = 0

    def prepare(self, model: str, device: str, tasks: tuple[str, ...] | None) -> None:
        """Ask for a model, unless it is there already, or the worker died of it."""
        wanted = (model, device, tasks)
        if wanted == self._refused or (wanted == self._wanted and self._client.is_running):
            return
        self._wanted, self._refused = wanted, None
        self._client.start()
        self._job = self._client.prepare(model=model, device=device, tasks=tasks)

    def hear(self, job: int, event: Event) -> bool:
        """Take an event of the worker; whether it was an answer to `prepare`."""
        if job != self._job:
            return False
        if isinstance(event, WorkerPrepared):
            self.engine, self.reason, self.s_per_mm2 = event.engine, event.reason, event.s_per_mm2
        elif isinstance(event, Failed):
            self._told(event.message)
        return True

    def started(self, event: RunStarted) -> None:
        """Take what a run says that it computes with."""
        self.engine, self.reason, self._refused = event.engine, event.reason, None

    def lost(self, text: str) -> None:
        """The worker is gone; the text is empty where somebody else tells why.

        One that had not even loaded the model is not started again unasked.
        """
        if self._wanted is not None and not self.engine:
            self._refused = self._wanted
            if text:
                self._told(text)
        self._wanted, self.engine = None, ""
