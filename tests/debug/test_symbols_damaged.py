"""Damaged symbol, line and unwind tables: less is known, and a line says so; nothing else happens."""

from __future__ import annotations

import random
import struct

import pytest

from hv.builder.image import BuilderError
from hv.builder.load import parse_kernel
from hv.debug.symbols import Symbols
from hv.debug.symbols.cursor import Cursor, Memory
from hv.debug.symbols.elf import Bounded
from hv.debug.symbols.lines import check_counts
from hv.debug.symbols.stack import unwind
from tests.debug.compiled import TEXT, compiled
from tests.debug.test_stack import ASSEMBLY
from tests.debug.test_symbols import SOURCE


@pytest.fixture(scope="module", params=[4, 5], ids=["DWARF 4", "DWARF 5"])
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("damaged")
    text = SOURCE + "__asm__(" + "\n".join(f'"{line}\\n"' for line in _assembly()) + ");\n"
    return compiled(folder, "two.c", text, f"-gdwarf-{request.param}").read_bytes()


def _assembly() -> list[str]:
    return [line for line in ASSEMBLY.format(section=".debug_frame").splitlines() if line.strip()]


def sections(kernel: bytes) -> dict[str, range]:
    """Where each section's content lies in the file; "headers": the section headers."""
    (at,) = struct.unpack_from("<Q", kernel, 0x28)
    size, count, names_index = struct.unpack_from("<HHH", kernel, 0x3A)
    rows = [struct.unpack_from("<IIQQQQ", kernel, at + size * number) for number in range(count)]
    names = rows[names_index][4]
    found = {kernel[names + row[0]:].split(b"\0", 1)[0].decode(): range(row[4], row[4] + row[5]) for row in rows}
    return {name: place for name, place in found.items() if name and place} | {"headers": range(at, at + size * count)}


def look(kernel: bytes) -> Symbols | None:
    """Ask everything of a kernel; None when the loader refuses it."""
    try:
        image = parse_kernel("kernel", kernel)
    except BuilderError:
        return None
    symbols = Symbols(image)
    symbols.find("inner")
    symbols.at(TEXT + 8)
    symbols.line(TEXT + 0x24)
    symbols.address_of_line("two.c", 6)
    with pytest.raises(ValueError, match="no such symbol"):
        symbols.parse("no such thing")
    memory = Memory(lambda address, length: bytes(length) if address < 0x10000 else None)
    unwind(Cursor(TEXT + 8, {"rsp": 0x1000, "rbp": 0x2000}, True, "here"), symbols, memory, 8)
    return symbols


def test_the_sound_file_has_it_all(kernel: bytes) -> None:
    symbols = look(kernel)
    assert symbols is not None and symbols.warnings == []
    assert symbols.find("inner") and symbols.line(symbols.find("inner") or 0) and len(symbols.lines.rows) > 5
    assert symbols.find("leaf") and symbols.cfi._function(symbols.find("leaf")) is not None
    assert {".symtab", ".strtab", ".debug_line", ".debug_info", ".debug_frame"} < set(sections(kernel))


def test_random_damage(kernel: bytes) -> None:
    dice = random.Random(2)
    places = sections(kernel)
    parts = [name for name in places if name.startswith((".debug", ".sym", ".str", ".shstr", "headers"))]
    warned = sound = 0
    for number in range(150):
        data = bytearray(kernel)
        part = places[parts[number % len(parts)]]
        for _ in range(dice.randint(1, 6)):
            data[dice.choice(part)] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
        symbols = look(bytes(data))
        if symbols is not None:
            assert all("\n" not in line and len(line) < 400 and line.startswith("kernel: its ")
                       for line in symbols.warnings)
            warned += bool(symbols.warnings)
            sound += not symbols.warnings
    assert warned > 10 and sound > 10


@pytest.mark.parametrize("name", [".debug_line", ".debug_frame"])
def test_a_section_of_nonsense_is_one_warning(kernel: bytes, name: str) -> None:
    data = bytearray(kernel)
    part = sections(kernel)[name]
    data[part.start:part.stop] = b"\xff" * len(part)
    symbols = look(bytes(data))
    assert symbols is not None
    (warning,) = symbols.warnings
    assert warning.endswith("; going on without") and symbols.find("inner") is not None
    assert (name == ".debug_line") == (not symbols.lines.rows)


def test_names_that_no_terminal_should_see(kernel: bytes) -> None:
    symbols = look(kernel.replace(b"\0inner\0", b"\0i\x1b[2J\0"))
    assert symbols is not None and symbols.find("i?[2J") is not None


def test_a_section_has_a_budget_of_reads() -> None:
    stream = Bounded(b"x")
    with pytest.raises(ValueError, match="without end"):
        while True:
            stream.seek(0)
            stream.read(1)


def header(*tables: bytes) -> bytes:
    """A version 5 line header, up to and with its tables of folders and files."""
    return struct.pack("<IHBBIBBBbBB", 0x100, 5, 8, 0, 0, 1, 1, 1, -5, 14, 1) + b"".join(tables)


def test_tables_that_promise_more_than_they_hold() -> None:
    folders = b"\x01\x01\x08\x01/x\0"
    check_counts(header(folders, b"\x02\x01\x08\x02\x0b\x01a.c\0\x00"), 0)
    endless = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
    for bad in (
        b"\x00" + endless, b"\x01\x01\x08" + endless, folders + b"\x00" + endless, folders + b"\x01\x01\x08" + endless,
        folders, folders + b"\x01\x01\x19\x01", folders + b"\x01\x01\x08\x01" + b"\x80" * 20, b"\x01" + b"\x80" * 20,
    ):  # fmt: skip
        with pytest.raises(ValueError):
            check_counts(header(bad), 0)
