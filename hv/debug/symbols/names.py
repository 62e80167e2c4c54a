"""What users type for an address."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hv.debug.symbols import Symbols

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_LINE = re.compile(r"(?P<file>.+):(?P<line>[0-9]{1,9})")
_OFFSET = re.compile(r"(?P<name>.+?)\s*(?P<sign>[+-])\s*(?P<offset>0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})")
_LIMIT = 1 << 64


def parse(symbols: Symbols, text: str) -> int:
    """See Symbols.parse()."""
    text = text.strip()
    if _NUMBER.fullmatch(text) and len(text) <= 22:
        return _checked(text, int(text, 16 if text[:2] in ("0x", "0X") else 10))
    address = symbols.find(text)
    if address is not None:
        return address
    found = _LINE.fullmatch(text)
    if found:
        return _line(symbols, found["file"], int(found["line"]))
    name, offset = text, 0
    found = _OFFSET.fullmatch(text)
    if found:
        name, offset = found["name"], int(found["offset"], 0) * (-1 if found["sign"] == "-" else 1)
    address = symbols.find(name)
    if address is None:
        raise ValueError(f"{_shown(name)}: no such symbol; {nearest(name, symbols.table.names)}")
    return _checked(text, address + offset)


def _checked(text: str, address: int) -> int:
    if not 0 <= address < _LIMIT:
        raise ValueError(f"{_shown(text)}: not an address; it must lie between 0 and 2**64 - 1")
    return address


def _line(symbols: Symbols, file: str, line: int) -> int:
    address = symbols.address_of_line(file, line)
    if address is not None:
        return address
    files = {path.rpartition("/")[2] for path in symbols.lines.files}
    if file.rpartition("/")[2] in files:
        raise ValueError(f"{_shown(file)}:{line}: no code at or behind this line; give a lower line")
    raise ValueError(f"{_shown(file)}: no such source file; {nearest(file, files, 'the kernel has no line table')}")


def nearest(name: str, names: Iterable[str], none: str = "the kernel has no symbols") -> str:
    """What to say of a name that is not there: the most similar one that is."""
    candidates = list(names)
    if not candidates:
        return f"{none}: give a number"
    # A kernel has 150,000 names: compare only those that can be similar.
    short = [other for other in candidates if abs(len(other) - len(name)) <= 2 and other[:1] == name[:1]]
    close = difflib.get_close_matches(name[:64], short[:20_000], n=1) or [
        other for other in candidates if name.lower() in other.lower()
    ][:1]
    return f"the nearest is {close[0]}" if close else "none is similar"


def _shown(text: str) -> str:
    return text if text.isprintable() and len(text) <= 80 else repr(text[:80])
