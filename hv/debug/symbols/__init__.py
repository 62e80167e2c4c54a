"""Names and source lines of a guest's kernel: from its ELF symbols and DWARF, or from Linux's own kallsyms.

    symbols = load_symbols("vmlinuz")
    symbols.find("start_kernel")            # 0xffffffff8307a000
    symbols.at(0xffffffff8307a012)          # Place("start_kernel", 0x12)
    symbols.parse("start_kernel+0x10")      # what a user types

Nothing is read before it is asked for. A PV kernel runs at the addresses it was linked for, so those of the file are
the guest's.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from hv.debug.symbols.table import Entry, Place, Region, Symbol, Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hv.builder.image import KernelImage
    from hv.debug.symbols.cfi import Cfi
    from hv.debug.symbols.elf import ElfFile
    from hv.debug.symbols.lines import Lines
    from hv.debug.symbols.orc import Orc

__all__ = ["Place", "Symbol", "Symbols", "load_symbols", "symbols_of"]

_T = TypeVar("_T")
_LINES = "line table"


class Symbols:
    """The symbols of one kernel; without an image, none. `warnings`: a line for each part that was damaged, and is
    therefore taken as empty."""

    def __init__(self, image: KernelImage | None = None) -> None:
        self.image = image
        self.warnings: list[str] = []

    def guard(self, what: str, read: Callable[[], _T], empty: _T) -> _T:
        """`read()`, or `empty` and a warning when the file is damaged there."""
        try:
            return read()
        except Exception as error:  # pyelftools raises whatever a damaged file leads it to
            said = " ".join(str(error).split())[:200] or type(error).__name__
            name = self.image.name if self.image else "symbols"
            warning = f"{name}: its {what} is damaged ({said}); going on without"
            if warning not in self.warnings:
                self.warnings.append(warning)
            return empty

    @cached_property
    def elf(self) -> ElfFile | None:
        """The kernel's ELF file; None without one that can be read."""
        image = self.image
        if image is None or not image.file:
            return None
        from hv.debug.symbols.elf import ElfFile

        return self.guard("section table", lambda: ElfFile(image.file), None)

    @cached_property
    def table(self) -> Table:
        """All symbols, in order of address."""
        image, elf = self.image, self.elf
        if image is None:
            return Table()
        # Materialised inside the guards: generators would raise outside.
        entries: list[Entry] = self.guard("symbol table", lambda: list(elf.symbols()), []) if elf else []
        regions: list[Region] = self.guard("section table", elf.regions, []) if elf else []
        if not entries:
            from hv.debug.symbols.kallsyms import find_kallsyms

            entries = self.guard("kallsyms", lambda: find_kallsyms(image.segments, image.bits), [])
        if not regions:
            regions = [Region(part.vaddr, part.vaddr + part.memsz, bool(part.flags & 1)) for part in image.segments]
        return Table(entries, regions)

    @cached_property
    def lines(self) -> Lines:
        """The line table of all source files."""
        from hv.debug.symbols.lines import Lines, read_units

        elf = self.elf
        if elf is None:
            return Lines()
        return Lines(self.guard(_LINES, lambda: read_units(elf, lambda read: self.guard(_LINES, read, [])), []))

    @cached_property
    def cfi(self) -> Cfi:
        """DWARF call frame information."""
        from hv.debug.symbols.cfi import Cfi, read_cfi

        elf = self.elf
        return self.guard("call frame information", lambda: read_cfi(elf), Cfi()) if elf else Cfi()

    @cached_property
    def orc(self) -> Orc:
        """A Linux kernel's ORC tables."""
        from hv.debug.symbols.orc import Orc, read_orc

        elf = self.elf
        return self.guard("ORC table", lambda: read_orc(elf), Orc()) if elf else Orc()

    # ---- look-ups ----

    def find(self, name: str) -> int | None:
        """The address of a symbol."""
        return self.table.find(name)

    def at(self, address: int) -> Place | None:
        """The symbol that holds `address`, and how far it is into it."""
        symbol = self.table.at(address)
        return None if symbol is None else Place(symbol.name, address - symbol.start)

    def line(self, address: int) -> tuple[str, int] | None:
        """The source file (its full path as the compiler noted it) and line of an instruction."""
        return self.lines.at(address)

    def address_of_line(self, file: str, line: int) -> int | None:
        """The lowest address of a source line, or of the next one that has code. `file`: the end of its path."""
        return self.lines.address(file, line)

    def describe(self, address: int) -> str:
        """`name+0x12 (file.c:34)` as far as it is known; empty when nothing is."""
        place, line = self.at(address), self.line(address)
        parts = [str(place)] if place else []
        if line:
            parts.append(f"({line[0].rpartition('/')[2]}:{line[1]})")
        return " ".join(parts)

    def parse(self, text: str) -> int:
        """The address that a user means by `0x...`, a decimal number, NAME, NAME+NUMBER or FILE:LINE.

        ValueError, one line with the nearest name there is, when there is no such thing.
        """
        from hv.debug.symbols.names import parse

        return parse(self, text)


def symbols_of(image: KernelImage) -> Symbols:
    """The symbols of a kernel that is loaded."""
    return Symbols(image)


def load_symbols(path: str | Path) -> Symbols:
    """The symbols of a kernel file: whatever `hv run` takes. BuilderError when it is no kernel at all."""
    from hv.builder.load import load_kernel

    return Symbols(load_kernel(path))
