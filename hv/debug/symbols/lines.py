"""Source lines: DWARF's .debug_line (versions 2 to 5), decoded by pyelftools, as one table over all units."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.debug.symbols.table import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hv.debug.symbols.elf import ElfFile
    from hv.debug.symbols.table import Region

_MAX_PATH = 1024
_RANGE_FORMS = ("DW_FORM_sec_offset", "DW_FORM_data4", "DW_FORM_rnglistx")
# DWARF 5, section 7.5.6: bytes of the forms that a file table may use; "s": text, "u": ULEB128, "o": an offset
_FORMS: dict[int, int | str] = {
    0x08: "s", 0x0E: "o", 0x1F: "o", 0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16, 0x0F: "u",
}  # fmt: skip


class Row(NamedTuple):
    """The instructions in [start, end) come from `line` of `file`. `stmt`: a debugger may stop at start."""

    start: int
    end: int
    file: str
    line: int
    stmt: bool


class Unit(NamedTuple):
    """One compilation: the path of its main file, the addresses [start, end) that it has (none: not known), and what
    decodes its rows."""

    name: str
    ranges: Sequence[tuple[int, int]]
    read: Callable[[], list[Row]]


class Lines:
    """The line table: look up by address, or by file and line. A unit is decoded when it is first asked for."""

    def __init__(self, units: Iterable[Unit] = ()) -> None:
        self._units = list(units)
        self._decoded: dict[int, list[Row]] = {}
        ranges = [(start, end, number) for number, unit in enumerate(self._units) for start, end in unit.ranges]
        self._ranges = sorted(ranges)
        self._range_starts = [start for start, _, _ in self._ranges]
        self._anywhere = [number for number, unit in enumerate(self._units) if not unit.ranges]

    @property
    def files(self) -> set[str]:
        """The paths of the main source files, as the compiler was given them."""
        return {unit.name for unit in self._units}

    @cached_property
    def rows(self) -> Sequence[Row]:
        """Everything, ascending: decodes all units."""
        return sorted(row for number in range(len(self._units)) for row in self._rows(number))

    def at(self, address: int) -> tuple[str, int] | None:
        """File and line of the instruction at `address`."""
        index = bisect_right(self._range_starts, address) - 1
        units = [self._ranges[index][2]] if index >= 0 and address < self._ranges[index][1] else []
        for number in (*units, *self._anywhere):
            rows = self._rows(number)
            place = bisect_right(rows, address, key=lambda row: row.start) - 1
            if place >= 0 and address < rows[place].end:
                return rows[place].file, rows[place].line
        return None

    def address(self, file: str, line: int) -> int | None:
        """The lowest address of the first line, from `line` on, that has code in a file whose path ends so."""
        wanted = [part for part in file.split("/") if part != "."]
        # Only a file that is no unit's main one (a header) may be in any of them.
        main = [number for number, unit in enumerate(self._units) if unit.name.rpartition("/")[2] == wanted[-1]]
        for numbers in (main, range(len(self._units))):
            found = [
                (row.line, row.start)
                for number in numbers
                for row in self._rows(number)
                if row.stmt and row.line >= line and row.file.split("/")[-len(wanted) :] == wanted
            ]
            if found or main:
                return min(found)[1] if found else None
        return None

    def _rows(self, number: int) -> list[Row]:
        if number not in self._decoded:
            self._decoded[number] = sorted(self._units[number].read())
        return self._decoded[number]


def read_units(elf: ElfFile, guard: Callable[[Callable[[], list[Row]]], list[Row]]) -> list[Unit]:
    """Every unit that has lines. Raises anything when the sections are damaged; `guard` runs what decodes one unit."""
    info = elf.dwarf()
    if info is None or info.debug_line_sec is None:
        return []
    code = [region for region in elf.regions() if region.code]
    units: list[Unit] = []
    done = set()
    for unit in info.iter_CUs():
        top = unit.get_top_DIE()
        where = top.attributes.get("DW_AT_stmt_list")
        if where is None or where.value in done:
            continue
        done.add(where.value)
        name = top.attributes.get("DW_AT_name")
        read = partial(guard, partial(_decode, info, unit, top, code))
        units.append(Unit(printable(name.value[-_MAX_PATH:]) if name else "", _ranges(info, unit, top), read))
    return units


def _ranges(info: Any, unit: Any, top: Any) -> list[tuple[int, int]]:
    """The addresses of a unit; none when they are not said in a way that we can follow."""
    attributes = top.attributes
    low, high, ranges = (attributes.get(f"DW_AT_{name}") for name in ("low_pc", "high_pc", "ranges"))
    if low is not None and high is not None:
        end = int(high.value) + (0 if high.form == "DW_FORM_addr" else int(low.value))
        return [(int(low.value), end)]
    if ranges is None or ranges.form not in _RANGE_FORMS:
        return []
    base = int(low.value) if low is not None else 0
    found = []
    for entry in info.range_lists().get_range_list_at_offset(ranges.value, cu=unit):
        if hasattr(entry, "base_address"):
            base = int(entry.base_address)
            continue
        shift = 0 if entry.is_absolute else base
        found.append((int(entry.begin_offset) + shift, int(entry.end_offset) + shift))
    return found


def _decode(info: Any, unit: Any, top: Any, code: Sequence[Region]) -> list[Row]:
    section = info.debug_line_sec.stream.getvalue()
    check_counts(section, int(top.attributes["DW_AT_stmt_list"].value))
    program = info.line_program_for_CU(unit)
    folder = top.attributes.get("DW_AT_comp_dir")
    found = _rows(program, _Files(program.header, folder.value if folder else b""))
    # Of a function that the linker dropped, the rows stay, at 0.
    return [row for row in found if any(region.start <= row.start < region.end for region in code)]


def _rows(program: Any, files: _Files) -> Iterator[Row]:
    before = None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        # Line 0: the compiler's own.
        if before is not None and before.line and before.address < state.address:
            file = files.path(before.file)
            if file is not None:
                yield Row(before.address, state.address, file, before.line, bool(before.is_stmt))
        before = None if state.end_sequence else state


class _Files:
    """The files of a line program by number. A path is put together when a row needs it."""

    def __init__(self, header: Any, unit: bytes) -> None:
        self._unit = unit
        self._paths: dict[int, str | None] = {}
        self._folders: list[bytes]
        self._names: list[tuple[bytes, int]]
        if header.version >= 5:
            self._folders = [entry.DW_LNCT_path for entry in header.directories]
            self._names = [
                (entry.DW_LNCT_path, entry.get("DW_LNCT_directory_index") or 0) for entry in header.file_names
            ]
            self._first = 0
        else:
            self._folders = [unit, *header.include_directory]
            self._names = [(entry.name, entry.dir_index) for entry in header.file_entry]
            self._first = 1

    def path(self, number: int) -> str | None:
        """The path of a file; None: there is no such file."""
        if number not in self._paths:
            index = number - self._first
            self._paths[number] = self._join(*self._names[index]) if 0 <= index < len(self._names) else None
        return self._paths[number]

    def _join(self, name: bytes, place: int) -> str:
        folder = self._folders[place] if place < len(self._folders) else b""
        path = name if name.startswith(b"/") or not folder else folder + b"/" + name
        if self._unit and not path.startswith(b"/"):
            path = self._unit + b"/" + path
        return printable(path[-_MAX_PATH:])


# ---- what pyelftools believes ----


def check_counts(section: bytes, offset: int) -> None:
    """ValueError when a version 5 header at `offset` promises more folders or files than it has bytes: pyelftools
    would make as many, and entries without a field cost no byte, so that nothing would stop it."""
    wide = section[offset : offset + 4] == b"\xff\xff\xff\xff"
    word = 8 if wide else 4
    at = offset + (12 if wide else 4)
    if int.from_bytes(section[at : at + 2], "little") < 5:
        return
    at += 4 + word + 5  # version, sizes of addresses and selectors, header_length, and five bytes
    at += _byte(section, at)  # opcode_base counts itself
    for what in ("folders", "files"):
        forms = []
        count, at = _byte(section, at), at + 1
        for _ in range(count):
            _, at = _uleb(section, at)
            form, at = _uleb(section, at)
            forms.append(_FORMS.get(form))
        entries, at = _uleb(section, at)
        if entries > len(section) - at or (entries and not forms) or None in forms:
            raise ValueError(f"its table of {what} cannot be read")
        for _ in range(entries):
            for kind in forms:
                at = _behind(section, at, kind, word)
                if at > len(section):
                    raise ValueError("it is cut off")


def _behind(section: bytes, at: int, kind: int | str | None, word: int) -> int:
    if kind == "s":
        return section.index(b"\0", at) + 1
    if kind == "u":
        return _uleb(section, at)[1]
    return at + (word if kind == "o" else int(kind or 0))


def _byte(section: bytes, at: int) -> int:
    if at >= len(section):
        raise ValueError("it is cut off")
    return section[at]


def _uleb(section: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = _byte(section, at)
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number in it does not end")
