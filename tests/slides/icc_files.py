"""A colour profile of wide primaries."""

import struct

import numpy as np

GAMMA = 2.19921875
# Adobe RGB (1998): red, green and blue as columns of XYZ adapted to D50 (Lindbloom)
WIDE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])


def wide_profile(space: bytes = b"RGB ") -> bytes:
    """A matrix profile (ICC.1:2001-04) of wide primaries, written byte by byte."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65_536)) for value in values)

    text = b"wide test colours\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249),
    }
    for name, column in zip((b"r", b"g", b"b"), WIDE.T, strict=True):
        tags[name + b"XYZ"] = b"XYZ " + bytes(4) + fixed(*column)
        tags[name + b"TRC"] = b"curv" + bytes(4) + struct.pack(">IH", 1, round(GAMMA * 256))
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", at + len(body), len(value))
        body += padded
    head = struct.pack(">I4sI4s4s4s", 0, b"none", 0x02100000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp"
    head += bytes(28) + fixed(0.9642, 1.0, 0.8249)
    whole = head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]
