"""What an image file gives: bytes that do not change while it is open.

An image is the host's: it is no part of a guest's state, snapshots and forks share it. What a guest writes goes to the
overlay before it (hv.disk.overlay).
"""

from __future__ import annotations

from typing import Protocol

SECTOR = 512


class ImageError(Exception):
    """A file that cannot be opened as a disk, or written back: one line that names file, problem and remedy."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        line = " ".join(f"{name}: {problem}; {remedy}".split())
        # Names come out of images as well: nothing of them may move a terminal's cursor.
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line))


class MediumError(Exception):
    """Bytes of a disk that cannot be read or written. A guest sees an I/O error; the text is for people."""


class Image(Protocol):
    """An open image. `name` is the file as the user wrote it, `format` "raw" or "qcow2", `size` the bytes that a guest
    sees, a multiple of SECTOR. `probed`: the format is a guess from the file's first bytes."""

    name: str
    format: str
    size: int
    probed: bool

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes at `offset`, which must lie within the size. MediumError: they cannot be had."""

    def close(self) -> None:
        """Let go of the file; a read fails from now on."""


def whole_sectors(size: int) -> int:
    """A file's size as a guest sees it: rounded up to whole sectors."""
    return -(-size // SECTOR) * SECTOR
