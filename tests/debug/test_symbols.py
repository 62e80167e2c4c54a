"""Symbols and source lines of ELF kernels: our own guests, and small files in other dialects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hv.builder.image import BuilderError
from hv.debug.symbols import Place, Symbols, load_symbols
from hv.debug.symbols.table import Entry, Region, Table
from hv.testing.build import build_guest, find_guest
from tests.debug.compiled import TEXT, compiled

SOURCE = """\
#define NOINLINE __attribute__((noinline))
volatile long seen;

NOINLINE long inner(long value)
{
    seen = value;
    return value * 3;
}

NOINLINE long outer(long value)
{
    return inner(value) + 1;
}
"""


@pytest.fixture(scope="module")
def hello() -> Symbols:
    return load_symbols(build_guest(find_guest("hello")))


def line_of(path: Path, text: str) -> int:
    """Number of the line of a source file that contains `text`."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_a_function_is_found_by_name_and_by_address(hello: Symbols) -> None:
    address = hello.find("test_main")
    assert address is not None and address > 0xFFFFFFFF80100000
    assert hello.at(address) == Place("test_main", 0) and str(hello.at(address)) == "test_main"
    assert hello.at(address + 4) == Place("test_main", 4) and str(hello.at(address + 4)) == "test_main+0x4"
    assert hello.find("no_such_function") is None and hello.at(0x1000) is None and hello.at(1 << 64) is None
    assert hello.warnings == []


@pytest.mark.parametrize("env", ["arm64", "arm32"])
def test_mapping_symbols_of_arm_name_nothing(env: str) -> None:
    kernel = build_guest(find_guest("tour"), env)
    symbols = load_symbols(kernel)
    assert re.search(rb"\0\$[ax]\0", kernel.read_bytes())
    start = symbols.find("_start")
    assert start is not None
    told = [symbols.describe(address) for address in range(start, start + 0x7000, 4)]
    assert any("tour_grant" in text for text in told) and not any("$" in text for text in told)


def test_a_statement_has_its_line_and_the_line_its_address(hello: Symbols) -> None:
    source = find_guest("hello")
    number = line_of(source, 'printf("Hello')
    address = hello.address_of_line("hello.c", number)
    assert address is not None and hello.line(address) == (str(source), number)
    assert str(hello.at(address)).startswith("test_main")
    assert hello.describe(address).endswith(f"(hello.c:{number})")
    assert hello.address_of_line("tests/hello.c", number) == address
    assert hello.address_of_line(str(source), number) == address
    assert hello.address_of_line("other/hello.c", number) is None
    brace = line_of(source, "void test_main") + 1
    assert hello.address_of_line("hello.c", brace) == hello.find("test_main")
    assert hello.address_of_line("hello.c", 10_000) is None
    assert hello.line(0) is None


def test_only_the_file_that_is_asked_for_is_decoded() -> None:
    symbols = load_symbols(build_guest(find_guest("hello")))
    address = symbols.find("test_main")
    assert address is not None and symbols.line(address) is not None
    assert len(symbols.lines.files) > 10 and len(symbols.lines._decoded) == 1
    rows = symbols.lines.rows
    assert len(rows) > 500 and all(row.start < row.end and row.line for row in rows)
    assert all(symbols.line(row.start) == (row.file, row.line) for row in rows)


def test_assembly_has_lines_too(hello: Symbols) -> None:
    address = hello.find("_start")
    assert address is not None
    file, number = hello.line(address) or ("", 0)
    assert file.endswith("guests/lib/pv64/start.S")
    assert Path(file).read_text().splitlines()[number - 1].strip() == "cld"


def test_what_users_type(hello: Symbols) -> None:
    main = hello.find("test_main")
    assert main is not None
    for text, address in (
        ("0x1000", 0x1000), ("0XfF", 255), ("4096", 4096), ("test_main", main), (" test_main ", main),
        ("test_main+0x10", main + 16), ("test_main + 16", main + 16), ("test_main-1", main - 1),
        ("hello.c:10", hello.address_of_line("hello.c", 10)),
    ):  # fmt: skip
        assert hello.parse(text) == address, text


@pytest.mark.parametrize(("text", "said"), [
    ("test_mian", "test_mian: no such symbol; the nearest is test_main"),
    ("test_mian+0x10", "test_mian: no such symbol; the nearest is test_main"),
    ("helo.c:3", "helo.c: no such source file; the nearest is hello.c"),
    ("hello.c:9999", "hello.c:9999: no code at or behind this line; give a lower line"),
    ("0x10000000000000000", "0x10000000000000000: not an address; it must lie between 0 and 2**64 - 1"),
    ("_start+0xffffffffffffffff", "_start+0xffffffffffffffff: not an address; it must lie between 0 and 2**64 - 1"),
    ("%&/", "%&/: no such symbol; none is similar"),
    ("", ": no such symbol; "),
])  # fmt: skip
def test_what_is_no_address_is_said_in_one_line(hello: Symbols, text: str, said: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(said)) as caught:
        hello.parse(text)
    assert "\n" not in str(caught.value)


def test_without_symbols_there_are_numbers_still() -> None:
    none = Symbols()
    assert none.find("x") is None and none.at(1) is None and none.line(1) is None
    assert none.parse("0x10") == 16
    with pytest.raises(ValueError, match="x: no such symbol; the kernel has no symbols: give a number"):
        none.parse("x")


def test_a_file_that_is_no_kernel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kernel"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(BuilderError, match="neither an ELF file"):
        load_symbols(path)


@pytest.mark.parametrize("sections", ["-fno-function-sections", "-ffunction-sections"])
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_every_version_of_dwarf(tmp_path: Path, version: int, sections: str) -> None:
    """With a section a function, the unit has a list of ranges."""
    symbols = load_symbols(compiled(tmp_path, "two.c", SOURCE, "-g", f"-gdwarf-{version}", sections))
    inner = symbols.find("inner")
    assert inner is not None and inner >= TEXT
    for text in ("seen = value", "return inner(value)"):
        number = line_of(tmp_path / "two.c", text)
        address = symbols.address_of_line("two.c", number)
        assert address is not None and symbols.line(address) == (str(tmp_path / "two.c"), number)
    assert symbols.warnings == []


def test_without_debug_information_there_are_names(tmp_path: Path) -> None:
    symbols = load_symbols(compiled(tmp_path, "two.c", SOURCE, "-g0"))
    assert symbols.find("outer") is not None and symbols.line(TEXT) is None
    assert symbols.address_of_line("two.c", 6) is None and symbols.warnings == []


def test_of_several_names_the_best_counts() -> None:
    code, data = Region(0x1000, 0x2000, True), Region(0x3000, 0x3100, False)
    table = Table([
        Entry(0x1000, 0, "label", 2), Entry(0x1000, 0x20, "function", 12), Entry(0x1010, 0, "inside", 2),
        Entry(0x1040, 0, "tail", 2), Entry(0x3000, 0, "variable", 6), Entry(0x1100, 8, "twice", 12),
        Entry(0x1200, 8, "twice", 13), Entry(0x5000, 8, "nowhere", 12), Entry(7, 0, "seven", 2, absolute=True),
    ], [data, code])  # fmt: skip
    assert [symbol.name for symbol in table] == ["function", "inside", "tail", "twice", "twice", "variable"]
    found = {address: symbol.name if symbol else None for address in
             (0x1000, 0x100F, 0x1010, 0x1050, 0x1107, 0x1108, 0x30FF, 0x3100, 0x5000, 7)
             for symbol in [table.at(address)]}
    assert found == {0x1000: "function", 0x100F: "function", 0x1010: "inside", 0x1050: "tail", 0x1107: "twice",
                     0x1108: None, 0x30FF: "variable", 0x3100: None, 0x5000: None, 7: None}
    assert table.find("twice") == 0x1200 and table.find("seven") == 7 and table.find("nowhere") == 0x5000
    variable = table.at(0x3000)
    assert variable is not None and not variable.code
