"""Coverage: blocks of real runs, and the two file formats, read back as their readers do."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hv import abi
from hv.debug.coverage import Block, Coverage, drcov, lcov
from hv.debug.symbols import symbols_of
from hv.native import lib
from tests.builder.elfwriter import BASE
from tests.cli.machinecode import ENTRY, call, guest, repeat, shutdown
from tests.debug.test_records import start

if TYPE_CHECKING:
    from pathlib import Path

POWEROFF = shutdown(abi.SHUTDOWN_poweroff)


class File(NamedTuple):
    """One record of a tracefile."""

    lines: dict[int, int]
    functions: dict[str, int]
    hits: dict[str, int]


def read_lcov(text: str) -> dict[str, File]:
    """As genhtml reads it; asserts what it insists on."""
    lines = text.splitlines()
    assert lines[0] == "TN:" and text.endswith("\n")
    files: dict[str, File] = {}
    now: File | None = None
    for line in lines[1:]:
        key, _, value = line.partition(":")
        if key == "SF":
            assert now is None and value not in files
            now = files[value] = File({}, {}, {})
            continue
        assert now is not None
        if key == "end_of_record":
            now = None
        elif key == "DA":
            number, hits = map(int, value.split(","))
            assert number not in now.lines and number > 0
            now.lines[number] = hits
        elif key in ("FN", "FNDA"):
            number, name = value.split(",", 1)
            (now.functions if key == "FN" else now.hits)[name] = int(number)
        else:
            counts = {"LF": len(now.lines), "LH": sum(map(bool, now.lines.values())), "FNF": len(now.functions),
                      "FNH": sum(map(bool, now.hits.values()))}  # fmt: skip
            assert int(value) == counts[key], line
    assert now is None
    return files


def read_drcov(data: bytes) -> tuple[tuple[int, int, int], str, list[Block]]:
    """Version 2 as DynamoRIO writes it on Unix: module (base, end, entry), its path, the blocks."""
    *head, rest = data.split(b"\n", 6)
    text = [line.decode() for line in head]
    assert text[:4] == ["DRCOV VERSION: 2", "DRCOV FLAVOR: xenlab", "Module Table: version 2, count 1",
                        "Columns: id, base, end, entry, path"]  # fmt: skip
    number, base, end, entry, path = text[4].strip().split(", ")
    assert number == "0" and text[5].startswith("BB Table: ") and text[5].endswith(" bbs")
    count = int(text[5].split()[2])
    assert len(rest) == 8 * count
    blocks = []
    for start_, size, module in struct.iter_unpack("<IHH", rest):
        assert module == 0 and size > 0
        blocks.append(Block(int(base, 16) + start_, size))
    return (int(base, 16), int(end, 16), int(entry, 16)), path, blocks


def test_the_blocks_of_a_run_are_its_code(tmp_path: Path) -> None:
    """Straight code, a loop, and code behind the shutdown that never runs."""
    first = repeat(3, call("xen_version", 0, 0)) + POWEROFF
    one = start(guest(first, call("sched_op", 1, 0)), tmp_path)
    one.hv.run(max_insns=2)  # translated before: it is noted all the same
    coverage = Coverage(one.hv)
    one.hv.run()
    ran = {at for start_, size in coverage.blocks() for at in range(start_, start_ + size)}
    assert ran == set(range(ENTRY + 10, ENTRY + len(first))) | (ran & set(range(ENTRY, ENTRY + 10)))
    assert coverage.dropped == 0


def test_watching_changes_nothing(tmp_path: Path) -> None:
    hashes = []
    for watched in (False, True):
        one = start("evtchn_loopback", tmp_path)
        if watched:
            Coverage(one.hv)
        one.hv.run()
        hashes.append(one.hv.state_hash)
    assert hashes[0] == hashes[1]


def test_lines_and_functions_of_a_compiled_guest(tmp_path: Path) -> None:
    one = start("hello", tmp_path)
    coverage = Coverage(one.hv)
    one.hv.run()
    files = read_lcov(lcov(coverage.blocks(), symbols_of(one.image)))
    (own,) = [file for name, file in files.items() if name.endswith("guests/tests/hello.c")]
    assert own.hits["test_main"] == 1 and 1 in own.lines.values()
    assert own.functions.keys() == own.hits.keys()
    all_hits = {name: hits for file in files.values() for name, hits in file.hits.items()}
    assert all_hits["guest_start"] == 1 and all_hits["clock_spin"] == 0
    assert all(set(file.lines.values()) <= {0, 1} for file in files.values())


def test_lines_come_from_the_addresses_that_ran(tmp_path: Path) -> None:
    """Of a function that ran to its half only the half is marked."""
    one = start("hello", tmp_path)
    symbols = symbols_of(one.image)
    rows = [row for row in symbols.lines.rows if row.file.endswith("hello.c")]
    files = read_lcov(lcov([Block(rows[0].start, 1)], symbols))
    (own,) = [file for name, file in files.items() if name.endswith("hello.c")]
    assert [line for line, hits in own.lines.items() if hits] == [rows[0].line]
    untouched = read_lcov(lcov([Block(rows[0].start - 1, 1), Block(1 << 40, 0xFFFF)], symbols))
    assert not any(untouched[name].lines[rows[0].line] for name in untouched if name.endswith("hello.c"))


def test_drcov(tmp_path: Path) -> None:
    one = start(guest(call("xen_version", 0, 0), POWEROFF), tmp_path)
    coverage = Coverage(one.hv)
    one.hv.run()
    path = tmp_path / "out.drcov"
    coverage.write_drcov(str(path), one.image)
    (base, end, entry), name, blocks = read_drcov(path.read_bytes())
    assert base == BASE + 0x100000 == ENTRY and end > base and entry == one.image.entry
    assert name == one.image.name and blocks == coverage.blocks()


def test_drcov_leaves_out_what_is_not_in_the_module() -> None:
    blocks = [Block(0x1000, 5), Block(0x2000, 70000), Block(0x2FFF, 1), Block(0x3000, 1), Block(0xFFF, 3)]
    (base, end, entry), name, read = read_drcov(drcov(blocks, "a, b\nc", 0x1000, 0x3000, 0x1234))
    assert (base, end, entry, name) == (0x1000, 0x3000, 0x1234, "a,b?c")
    assert read == [Block(0x1000, 5), Block(0x2000, 0xFFFF), Block(0x2FFF, 1)]


def test_without_a_line_table_there_is_nothing_to_say(tmp_path: Path) -> None:
    one = start(guest(POWEROFF), tmp_path)
    assert read_lcov(lcov([Block(ENTRY, 4)], symbols_of(one.image))) == {}


def test_stopping_forgets(tmp_path: Path) -> None:
    one = start(guest(POWEROFF), tmp_path)
    coverage = Coverage(one.hv)
    one.hv.run()
    assert coverage.blocks()
    lib.machine_coverage_stop(one.hv.machine)
    assert coverage.blocks() == []
