"""Frames written down as tcpdump and wireshark read them: classic pcap with nanoseconds of guest time.

A capture is of the run as it stands. When time goes back and frames pass again, the file is cut back to before them, so
that none is in it twice and none that did not happen. A pipe cannot be cut: there, frames that were written once are
not written again.
"""

from __future__ import annotations

import struct
from array import array
from pathlib import Path

MAGIC_NANOSECONDS = 0xA1B23C4D
ETHERNET = 1
SNAP_LENGTH = 65535
_FILE = struct.Struct("<IHHiIII")
_FRAME = struct.Struct("<IIII")


class Capture:
    """A capture of one port into a file: a hv.net.port.Tap. OSError: the file cannot be written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._file.write(_FILE.pack(MAGIC_NANOSECONDS, 2, 4, 0, 0, SNAP_LENGTH, ETHERNET))
        self._file.flush()
        self._seekable = self._file.seekable()
        self._first = 0
        """The number of the first frame that it has seen: a capture may begin in the middle of a run."""
        self._ends = array("Q", [_FILE.size])
        """Where the file ends after each frame, and before the first."""

    def __call__(self, number: int, now_ns: int, frame: bytes) -> None:
        """Frame `number` passes the port."""
        if not self._first:
            self._first = number
        index = number - self._first
        if index < 0 or (not self._seekable and index < len(self._ends) - 1):
            return
        if index < len(self._ends) - 1:
            del self._ends[index + 1 :]
            self._file.seek(self._ends[index])
            self._file.truncate()
        seconds, rest = divmod(now_ns, 10**9)
        self._file.write(_FRAME.pack(seconds & 0xFFFFFFFF, rest, len(frame), len(frame)) + frame)
        self._ends.append(self._ends[-1] + _FRAME.size + len(frame))

    def flush(self) -> None:
        """Have readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """The capture is complete."""
        self._file.close()
