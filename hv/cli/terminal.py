"""The user's end of a guest's console: stdin and stdout, raw when they are a terminal. Ctrl-] leaves."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

LEAVE = 0x1D  # Ctrl-]
_CHUNK = 4096


class Terminal:
    """A context manager: inside, keys come one by one, unechoed; outside, the terminal is as it was.

    `left` becomes true when the user typed Ctrl-], `ended` when the input has come to its end (a file, a
    pipe).
    """

    def __init__(self, source: int = 0, sink: int = 1) -> None:
        self.source = source
        self.sink = sink
        self.left = False
        self.ended = False
        self._saved: list[Any] | None = None
        self._tty = _is_terminal(source)

    def __enter__(self) -> Terminal:
        if self._tty:
            import termios
            import tty

            self._saved = termios.tcgetattr(self.source)
            tty.setraw(self.source, termios.TCSANOW)
            mode = termios.tcgetattr(self.source)
            # our own lines (reports, statistics) still want their carriage returns
            mode[1] |= termios.OPOST | termios.ONLCR
            termios.tcsetattr(self.source, termios.TCSANOW, mode)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saved is not None:
            import termios

            termios.tcsetattr(self.source, termios.TCSADRAIN, self._saved)
            self._saved = None

    def poll(self, seconds: float = 0) -> bytes:
        """Bytes typed so far; waits at most `seconds` for the first.

        Empty: none, or the end (see `ended`, `left`).
        """
        if self.ended or self.left:
            return b""
        try:
            ready, _, _ = select.select([self.source], [], [], seconds)
            if not ready:
                return b""
            data = os.read(self.source, _CHUNK)
        except (OSError, ValueError):  # closed: as good as at its end
            data = b""
        if not data:
            self.ended = True
        elif self._tty and LEAVE in data:
            self.left = True
            data = data[: data.index(LEAVE)]
        return data

    def wait(self, seconds: float, files: Sequence[int] = ()) -> bool:
        """Wait for keys, or until one of `files` becomes readable, but no longer than this. Whether poll() is worth a
        call: there may be keys, or the input has ended by now."""
        going = not self.ended and not self.left
        if not going and not files:
            time.sleep(seconds)
            return False
        with contextlib.suppress(OSError, ValueError):  # one is closed: whoever polls it notices
            select.select([self.source, *files] if going else files, [], [], seconds)
        return going

    def write(self, data: bytes) -> None:
        """Show console output at once. BrokenPipeError when nobody reads any more."""
        if self.sink == 1:
            sys.stdout.flush()
        view = memoryview(data)
        while view:
            view = view[os.write(self.sink, view) :]


def _is_terminal(source: int) -> bool:
    try:
        return os.isatty(source)
    except OSError:
        return False
