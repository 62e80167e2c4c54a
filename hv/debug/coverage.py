"""Which code of a guest ran: by source lines for lcov, by blocks for whatever reads drcov files.

    coverage = Coverage(hv)
    hv.run()
    coverage.write_lcov("guest.info", symbols_of(image))
    coverage.write_drcov("guest.drcov", image)

The engine notes a block when it is translated (native/engine/coverage.c). So a line counts as run when an instruction
of a block with it began; how often is not known, and the files say 1. Formats: geninfo(1) of LCOV; version 2 of
DynamoRIO's drcov, as Lighthouse and others read it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from hv.native import check, ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hv.builder.image import KernelImage
    from hv.debug.symbols import Symbols
    from hv.debug.symbols.lines import Row
    from hv.hypervisor import Hypervisor

__all__ = ["Block", "Coverage", "drcov", "lcov"]

_BLOCK = Struct("<IHH")  # offset in the module, bytes, number of the module
_OFFSETS = 1 << 32
_EXECUTE = 1  # PF_X


class Block(NamedTuple):
    """A block of code by linear address."""

    start: int
    size: int


class Coverage:
    """Notes every block that runs from now on. Raises NativeError when the host has no memory for it."""

    def __init__(self, hv: Hypervisor) -> None:
        self._machine = hv.machine
        self.dropped = 0
        """Blocks that the table had no room for, once blocks() was asked."""
        check(lib.machine_coverage_start(self._machine), "the table of blocks")

    def blocks(self) -> list[Block]:
        """The blocks so far, by address."""
        dropped = ffi.new("uint64_t *")
        count = lib.machine_coverage(self._machine, ffi.NULL, 0, dropped)
        out = ffi.new("struct code_block[]", count)
        lib.machine_coverage(self._machine, out, count, dropped)
        self.dropped = int(dropped[0])
        return sorted(Block(int(block.start), int(block.size)) for block in out)

    def write_lcov(self, path: str, symbols: Symbols) -> None:
        """Write a tracefile of lcov. OSError."""
        Path(path).write_text(lcov(self.blocks(), symbols), encoding="utf-8", errors="backslashreplace")

    def write_drcov(self, path: str, image: KernelImage) -> None:
        """Write a drcov file with the kernel's code as its one module. OSError."""
        # Linux has a segment of per-cpu data at 0, far from its code.
        code = [part for part in image.segments if part.flags & _EXECUTE] or image.segments
        base, end = min(part.vaddr for part in code), max(part.vaddr + part.memsz for part in code)
        Path(path).write_bytes(drcov(self.blocks(), image.name, base, end, image.entry))


class _Ran:
    """The addresses that ran, as intervals that do not touch."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, size in sorted(blocks):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], start + size)
            else:
                self._starts.append(start)
                self._ends.append(start + size)

    def __call__(self, start: int, end: int) -> bool:
        """Whether some of [start, end) ran."""
        at = bisect_right(self._starts, end - 1) - 1
        return at >= 0 and self._ends[at] > start


def lcov(blocks: Iterable[Block], symbols: Symbols) -> str:
    """A tracefile: for each source file its functions (FN, FNDA) and its lines (DA), with 1 for what ran and 0 for what
    did not. Empty but for the test's name when the kernel has no line table."""
    ran = _Ran(blocks)
    lines: dict[str, dict[int, bool]] = defaultdict(dict)
    for row in symbols.lines.rows:
        found = lines[row.file]
        found[row.line] = found.get(row.line, False) or ran(row.start, row.end)
    functions = _functions(symbols, symbols.lines.rows, ran)
    out = ["TN:"]
    for file in sorted(lines):
        known = functions.get(file, [])
        out.append(f"SF:{_one_line(file)}")
        out += [f"FN:{line},{_one_line(name)}" for line, name, _ in known]
        out += [f"FNDA:{int(hit)},{_one_line(name)}" for _, name, hit in known]
        out += [f"FNF:{len(known)}", f"FNH:{sum(hit for _, _, hit in known)}"]
        out += [f"DA:{line},{int(hit)}" for line, hit in sorted(lines[file].items())]
        out += [f"LF:{len(lines[file])}", f"LH:{sum(lines[file].values())}", "end_of_record"]
    return "\n".join(out) + "\n"


def _functions(symbols: Symbols, rows: Sequence[Row], ran: _Ran) -> dict[str, list[tuple[int, str, bool]]]:
    """For each file (line, name, whether its first instruction ran) of the functions that have lines there."""
    found: dict[str, dict[str, tuple[int, str, bool]]] = defaultdict(dict)
    for symbol in symbols.table:
        place = symbols.line(symbol.start) if symbol.code else None
        if place is not None:
            found[place[0]].setdefault(symbol.name, (place[1], symbol.name, ran(symbol.start, symbol.start + 1)))
    return {file: sorted(names.values()) for file, names in found.items()}


def _one_line(text: str) -> str:
    return text.replace("\n", "?").replace("\r", "?")


def drcov(blocks: Iterable[Block], name: str, base: int, end: int, entry: int) -> bytes:
    """A drcov file, version 2: a table with one module at [base, end), and the blocks that start in it. Others (user
    programs, code that the guest made) belong to no file and are left out."""
    inside = [block for block in blocks if base <= block.start < min(end, base + _OFFSETS)]
    head = (
        "DRCOV VERSION: 2\nDRCOV FLAVOR: xenlab\nModule Table: version 2, count 1\n"
        "Columns: id, base, end, entry, path\n"
        f"  0, {base:#018x}, {end:#018x}, {entry:#018x}, {_one_line(name).replace(', ', ',')}\n"
        f"BB Table: {len(inside)} bbs\n"
    )
    return head.encode(errors="backslashreplace") + b"".join(
        _BLOCK.pack(start - base, min(size, 0xFFFF), 0) for start, size in inside
    )
