"""Source lines: DWARF's .debug_line (versions 2 to 5), decoded by pyelftools, as one table over all units."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.debug.symbols.table import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hv.debug.symbols.elf import ElfFile

_MAX_ROWS = 5_000_000
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


class Lines:
    """The line table: look up by address, or by file and line."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows: Sequence[Row] = sorted(rows)
        self._starts = [row.start for row in self.rows]
        self._by_name: dict[str, list[tuple[str, int, int]]] | None = None

    @property
    def files(self) -> set[str]:
        """The full paths of the source files that have code."""
        return {row.file for row in self.rows}

    def at(self, address: int) -> tuple[str, int] | None:
        """File and line of the instruction at `address`."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self.rows[index].end:
            return None
        row = self.rows[index]
        return row.file, row.line

    def address(self, file: str, line: int) -> int | None:
        """The lowest address of the first line, from `line` on, that has code in a file whose path ends so."""
        if self._by_name is None:
            self._by_name = {}
            for row in self.rows:
                if row.stmt:
                    name = row.file.rpartition("/")[2]
                    self._by_name.setdefault(name, []).append((row.file, row.line, row.start))
        wanted = [part for part in file.split("/") if part != "."]
        found = [
            (number, start)
            for path, number, start in self._by_name.get(wanted[-1], ())
            if number >= line and path.split("/")[-len(wanted) :] == wanted
        ]
        return min(found)[1] if found else None


def read_lines(elf: ElfFile) -> list[Row]:
    """Every row of every unit that can be read. Raises anything when the sections are damaged."""
    info = elf.dwarf()
    if info is None or info.debug_line_sec is None:
        return []
    code = [region for region in elf.regions() if region.code]
    rows: list[Row] = []
    section = info.debug_line_sec.stream.getvalue()
    done = set()
    for unit in info.iter_CUs():
        top = unit.get_top_DIE()
        where = top.attributes.get("DW_AT_stmt_list")
        if where is None or where.value in done:
            continue
        done.add(where.value)
        check_counts(section, int(where.value))
        program = info.line_program_for_CU(unit)
        folder = top.attributes.get("DW_AT_comp_dir")
        found = _rows(program, _files(program.header, folder.value if folder else b""))
        # Of a function that the linker dropped, the rows stay, at 0.
        rows += [row for row in found if any(region.start <= row.start < region.end for region in code)]
        if len(rows) > _MAX_ROWS:
            raise ValueError(f"it has more than {_MAX_ROWS} rows")
    return rows


def _rows(program: Any, files: dict[int, str]) -> Iterator[Row]:
    before = None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        # Line 0: the compiler's own.
        if before is not None and before.line and before.address < state.address:
            file = files.get(before.file)
            if file is not None:
                yield Row(before.address, state.address, file, before.line, bool(before.is_stmt))
        before = None if state.end_sequence else state


def _files(header: Any, folder: bytes) -> dict[int, str]:
    """Number of a file in a line program -> its path."""
    if header.version >= 5:
        folders = [entry.DW_LNCT_path for entry in header.directories]
        names = [(entry.DW_LNCT_path, entry.get("DW_LNCT_directory_index") or 0) for entry in header.file_names]
        first = 0
    else:
        folders = [folder, *header.include_directory]
        names = [(entry.name, entry.dir_index) for entry in header.file_entry]
        first = 1
    return {
        number: printable(_join(folder, folders[place] if place < len(folders) else b"", name))
        for number, (name, place) in enumerate(names, first)
    }


def _join(unit: bytes, folder: bytes, name: bytes) -> bytes:
    path = name if name.startswith(b"/") else folder + b"/" + name if folder else name
    return path if path.startswith(b"/") or not unit else unit + b"/" + path


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
