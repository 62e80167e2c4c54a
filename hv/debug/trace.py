"""Tracing a hypervisor: records are drained from C as raw bytes while the guest runs, and written out in bulk.

    tracer = Tracer(hv, [Text(file)], parse_filter(["hypercall"]))
    hv.after_exit = tracer.flush
    hv.run()
    tracer.close()

While the guest runs, Python only copies bytes into a temporary file, and that seldom: what the records say is worked
out when the tracer is closed. With `live` it is done at each flush, for whoever watches. Watching changes no run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from hv.debug.filters import Filter
from hv.debug.records import RECORD_BYTES, Assembler, Trap, result_text
from hv.native import check, ffi, lib

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor

__all__ = ["JsonLines", "Tracer", "Trap", "Writer", "drain", "result_text"]

_DRAIN = 1024  # records at once
_WAITING = 1 << 13  # records that are left in C until it is worth a copy
_CHUNK = 1 << 12  # records read back at once
_LAST = 256  # records of which a crash report shows the last


class Writer(Protocol):
    """Where a trace goes."""

    filter: Filter

    def write(self, trap: Trap) -> None:
        """One record, in order."""

    def close(self) -> None:
        """There are no more."""


def drain(hv: Hypervisor) -> list[Trap]:
    """The traps since the last call, oldest first: all while tracing is on, else the last few."""
    buffer = ffi.new("struct trap_record[]", _DRAIN)
    assembler = Assembler()
    out: list[Trap] = []
    while count := lib.hv_trap_log(hv.native, buffer, _DRAIN):
        out += assembler.feed(bytes(ffi.buffer(buffer, count * RECORD_BYTES)))
    return out + list(assembler.close())


class Tracer:
    """Traces a hypervisor from now on, until it is closed, for some writers. Call `flush` after each exit of hv_run.

    live: write records out at once, not at the end. Raises NativeError when the host has no memory for it.
    """

    def __init__(self, hv: Hypervisor, writers: Sequence[Writer], *, live: bool = False) -> None:
        self.hv = hv
        self.writers = writers
        self.live = live
        self.lost = 0
        """Records that were overwritten before they could be read: one hypercall made too many."""
        self._count = ffi.new("uint32_t *")
        self._assembler = Assembler()
        self._file: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - close() closes it
        self._kept: list[Trap] = []
        self._end = 0
        self._done = 0  # bytes of the file that the writers have had
        wanted = Filter(decoded=False)
        for writer in writers:
            wanted |= writer.filter
        check(lib.hv_trace(hv.native, ffi.new("struct trace_filter *", wanted.masks())), "the log of traps")

    def flush(self) -> None:
        """Take what has come since the last call, if it is much or somebody watches."""
        waiting = lib.hv_trap_waiting(self.hv.native)
        if waiting >= _WAITING or (self.live and waiting):
            self._take()
            if self.live:  # the guest stands between two instructions: every call has its answer
                self._write()
                self._put(self._assembler.close())

    def close(self) -> None:
        """Write the rest and close the writers. Tracing is off afterwards."""
        if self._file.closed:
            return
        self._kept = self.last
        self.lost = int(lib.hv_trap_lost(self.hv.native))
        lib.hv_trace(self.hv.native, ffi.NULL)
        self._write()
        self._put(self._assembler.close())
        for writer in self.writers:
            writer.close()
        self._file.close()

    def drop(self) -> None:
        """Stop tracing and forget what was traced; the writers are not closed."""
        lib.hv_trace(self.hv.native, ffi.NULL)
        self._file.close()

    @property
    def last(self) -> list[Trap]:
        """The last few records, for a crash report."""
        if self._file.closed:
            return self._kept
        self._take()
        start = max(self._end - _LAST * RECORD_BYTES, 0)
        self._file.seek(start)
        assembler = Assembler()
        return [*assembler.feed(self._file.read(self._end - start)), *assembler.close()]

    def _take(self) -> None:
        native, count, file = self.hv.native, self._count, self._file
        file.seek(self._end)
        while True:
            window = lib.hv_trap_window(native, count)
            if not count[0]:
                return
            with memoryview(ffi.buffer(window, count[0] * RECORD_BYTES)) as view:
                done = file.write(view)
            # A full disk takes a part of a record: the rest of it comes with the next write, or its error.
            lib.hv_trap_consume(native, done // RECORD_BYTES)
            self._end += done - done % RECORD_BYTES
            file.seek(self._end)

    def _write(self) -> None:
        self._put(self._traps())

    def _traps(self) -> Iterator[Trap]:
        while self._done < self._end:
            self._file.seek(self._done)
            raw = self._file.read(min(_CHUNK * RECORD_BYTES, self._end - self._done))
            self._done += len(raw)
            yield from self._assembler.feed(raw)

    def _put(self, traps: Iterator[Trap]) -> None:
        writers = self.writers
        for trap in traps:
            for writer in writers:
                if writer.filter.accepts(trap):
                    writer.write(trap)


class JsonLines:
    """One JSON object a line."""

    def __init__(self, out: TextIO, wanted: Filter) -> None:
        self.out = out
        self.filter = wanted

    def write(self, trap: Trap) -> None:
        """One record."""
        import json

        self.out.write(json.dumps(trap.data(), separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Nothing is kept back."""
        self.out.close()
