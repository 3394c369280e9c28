"""Features out of a JSON text of any size, one at a time."""

import json
from collections.abc import Iterator
from typing import Any, TextIO

__all__ = ["JSONStreamError", "iter_features"]

_CHUNK = 1 << 20
_DECODER = json.JSONDecoder()


class JSONStreamError(ValueError):
    """The text is not JSON, or holds no features."""


class _Cursor:
    """A place in a JSON text of which only a stretch is in memory."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._text = ""
        self._at = 0
        self._before = 0
        self._is_complete = False

    def _more(self) -> None:
        """Read on, at least as much as is unread, so that a long value costs linear time."""
        self._before += self._at
        rest = self._text[self._at :]
        chunk = self._stream.read(max(_CHUNK, len(rest)))
        self._text, self._at = rest + chunk, 0
        self._is_complete = not chunk

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n\ufeff":
                    return self._text[self._at]
                self._at += 1
            if self._is_complete:
                return ""
            self._more()

    def take(self, wanted: str) -> str:
        """Step over the next character, which must be one of ``wanted``."""
        found = self.peek()
        if not found or found not in wanted:
            expected = " or ".join(repr(character) for character in wanted)
            place = f"at character {self._before + self._at}" if found else "before the end"
            raise JSONStreamError(f"expected {expected} {place}")
        self._at += 1
        return found

    def value(self) -> Any:
        """Step over the next value and return it."""
        self.peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise JSONStreamError("nested too deeply") from error
            except json.JSONDecodeError as error:
                # Perhaps only cut by the end of the stretch in memory.
                if self._is_complete:
                    raise JSONStreamError(f"{error.msg} at character {self._before + error.pos}") from error
            else:
                # A number that ends with the stretch in memory may go on behind it.
                if end < len(self._text) or self._is_complete:
                    self._at = end
                    return found
            self._more()


def iter_features(stream: TextIO) -> Iterator[Any]:
    """The features of a FeatureCollection, an array of features or a single bare feature, as plain values.

    Parameters
    ----------
    stream
        JSON text; only a stretch of it and one feature are in memory at a time.

    Raises
    ------
    JSONStreamError
        If the text is not JSON, has more than white space behind its value, or is neither object nor array.
    """
    cursor = _Cursor(stream)
    if cursor.peek() == "[":
        yield from _elements(cursor)
    else:
        cursor.take("{")
        yield from _members(cursor)
    if cursor.peek():
        raise JSONStreamError("more text behind the end of the JSON value")


def _elements(cursor: _Cursor) -> Iterator[Any]:
    cursor.take("[")
    if cursor.peek() == "]":
        cursor.take("]")
        return
    while True:
        yield cursor.value()
        if cursor.take(",]") == "]":
            return


def _members(cursor: _Cursor) -> Iterator[Any]:
    """The elements of "features", else the whole object as the one feature."""
    members: dict[str, Any] = {}
    is_collection = False
    if cursor.peek() == "}":
        cursor.take("}")
    else:
        while True:
            if cursor.peek() != '"':
                cursor.take('"')
            key = cursor.value()
            cursor.take(":")
            if key == "features" and cursor.peek() == "[":
                is_collection = True
                yield from _elements(cursor)
            else:
                members[key] = cursor.value()
            if cursor.take(",}") == "}":
                break
    if not is_collection:
        yield members
