"""What other programs made, back into a project: outlines as corrections, label images as predictions."""

from pathloop.loop.importing._job import import_file, import_into
from pathloop.loop.importing._request import ImportRequest

__all__ = ["ImportRequest", "import_file", "import_into"]
