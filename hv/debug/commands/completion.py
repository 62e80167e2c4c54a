"""Completion of a line that is being typed, for the prompt and the screen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hv.debug.commands import load_commands

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

_WORD = re.compile(r"[^\s*&()=!<>+|^~,]*\Z")
"""The word that ends a line: a command or a symbol, which may stand in an expression."""


def candidates(debugger: Debugger, line: str) -> tuple[int, list[str]]:
    """(where the last word of `line` begins, what it may become): a command if it is the first, else a symbol."""
    match = _WORD.search(line)
    begin = match.start() if match else len(line)
    word = line[begin:]
    names = debugger.symbols.table.names if line[:begin].strip() else load_commands()
    return begin, sorted(name for name in names if name.startswith(word))


def complete(debugger: Debugger, line: str) -> tuple[str, list[str]]:
    """`line` with its last word as far as there is no choice, a space behind it when it is whole; and the choices that
    are left, if any."""
    begin, found = candidates(debugger, line)
    if len(found) == 1:
        return f"{line[:begin]}{found[0]} ", []
    if not found:
        return line, []
    first, last = found[0], found[-1]  # sorted: what these two share, all do
    end = next((at for at, char in enumerate(first) if last[at] != char), len(first))
    return line[:begin] + first[:end], found
