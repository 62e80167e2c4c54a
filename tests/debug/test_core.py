"""Core files: the layout, and what gdb makes of one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hv.arch.core import Run, core_file
from hv.arch.x86.core import X86_64, Thread, thread_notes
from hv.arch.x86.paging.walk import NX, runs, walk
from tests.debug.gdb import look_at_core

if TYPE_CHECKING:
    from pathlib import Path

VA = 0xFFFFFFFF80000000


def machine() -> tuple[dict[int, bytes], int]:
    """Frames with tables:

    VA and VA+4K to frames 20, 21; VA+8K to frame 10; 0x1000 to 21 again, read-only NX.
    """
    frames: dict[int, bytearray] = {number: bytearray(4096) for number in (1, 2, 3, 4, 5, 6, 7, 10, 20, 21)}

    def put(table: int, index: int, entry: int) -> None:
        struct.pack_into("<Q", frames[table], index * 8, entry)

    put(1, 511, 2 << 12 | 0x67)
    put(2, 510, 3 << 12 | 0x67)
    put(3, 0, 4 << 12 | 0x67)
    for index, frame in enumerate((20, 21, 10)):
        put(4, index, frame << 12 | 0x67)
    put(1, 0, 5 << 12 | 0x67)
    put(5, 0, 6 << 12 | 0x67)
    put(6, 0, 7 << 12 | 0x67 | NX)
    put(7, 1, 21 << 12 | 0x25)
    put(7, 2, 0x999 << 12 | 0x25)
    for number in (10, 20, 21):
        frames[number][:8] = number.to_bytes(8, "little")
    return {number: bytes(content) for number, content in frames.items()}, 1


def test_runs_merge_what_is_contiguous() -> None:
    frames, root = machine()
    assert list(runs(frames.__getitem__, root)) == [
        Run(0x1000, 21, 1, False, False),
        Run(0x2000, 0x999, 1, False, False),
        Run(VA, 20, 2, True, True),
        Run(VA + 0x2000, 10, 1, True, True),
    ]


def test_walk_stops_where_nothing_is_present() -> None:
    frames, root = machine()
    assert [step.level for step in walk(frames.__getitem__, root, VA)] == [4, 3, 2, 1]
    steps = walk(frames.__getitem__, root, VA + 0x5000)
    assert len(steps) == 4 and not steps[-1].present
    assert len(walk(frames.__getitem__, root, 0x8000000000)) == 1
    assert walk(frames.__getitem__, 0x777, 0) == []


def test_a_table_that_maps_itself_is_listed_once() -> None:
    """Entry 5 of the top level leads to itself: 512**3 ways to the same few frames."""
    frames, root = machine()
    table = bytearray(frames[root])
    struct.pack_into("<Q", table, 5 * 8, root << 12 | 0x21)
    frames[root] = bytes(table)
    found = list(runs(frames.__getitem__, root))
    assert len(found) < 50 and Run(VA, 20, 2, True, True) in found


def make_core() -> bytes:
    frames, root = machine()
    thread = Thread(0, {"rip": VA + 4, "rsp": VA + 0x1000, "rbx": 0x1234, "cs": 0xE033, "orig_rax": -1})
    other = Thread(3, {"rip": VA + 8})
    notes = thread_notes(thread) + thread_notes(other)
    return core_file(X86_64, notes, list(runs(frames.__getitem__, root)), frames.__getitem__)


def test_memory_is_in_the_file_once_and_found_by_address() -> None:
    core = make_core()
    (count,) = struct.unpack_from("<H", core, 56)
    loads = {}
    for number in range(1, count):
        kind, flags, offset, va, _, filesz, memsz, _ = struct.unpack_from("<IIQQQQQQ", core, 64 + number * 56)
        assert kind == 1 and offset % 4096 == 0
        loads[va] = (flags, offset, filesz, memsz)
    assert loads[VA][2:] == (8192, 8192) and loads[VA][0] == 7 and loads[0x1000][0] == 4
    for va, value in ((VA, 20), (VA + 0x2000, 10), (0x1000, 21)):
        assert core[loads[va][1]] == value
    assert loads[0x1000][1] == loads[VA][1] + 4096  # the same frame
    assert loads[0x2000][2:] == (0, 4096)  # no memory behind it
    assert len(core) == loads[VA][1] + 2 * 4096  # three frames, the last two are 20 and 21


def test_gdb_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(make_core())
    memory = [f"x/2gx {VA:#x}", f"x/gx {VA + 0x2000:#x}"]
    shown = look_at_core(path, ["info registers rip rbx cs", *memory, "info threads"])
    assert "0xffffffff80000004" in shown and "0x1234" in shown and "0xe033" in shown
    assert "0xffffffff80000000:\t0x0000000000000014\t0x0000000000000000" in shown
    assert "0xffffffff80002000:\t0x000000000000000a" in shown
    assert "0xffffffff80000008" in shown  # the second thread
