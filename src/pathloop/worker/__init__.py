"""Long jobs in a process of their own: ``python -m pathloop.worker segment`` and ``... train``.

Events and errors are JSON lines on standard output; a GUI or another program reads them as they come.
"""

from pathloop.worker._main import SegmentJob, TrainJob, main

__all__ = ["SegmentJob", "TrainJob", "main"]
