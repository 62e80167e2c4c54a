"""A call stack from a copy of the stack: for a guest that has gone on, or has ended, since the copy was made.

Frame pointers are followed where the guest keeps them. Where it does not (Linux since 4.15), every word that looks like
a return address is listed: it points into code, behind a call instruction. That may list a call too many that has
returned long ago, but leaves none out that the copy holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hv.debug.symbols import Symbols
    from hv.refusals import Evidence

__all__ = ["candidates", "follows_call"]

DEPTH = 32
"""Frames at most."""
_LONGEST = 7  # bytes of a call instruction

# How a stub of the hypercall page goes on behind SYSCALL, and how deep its return address lies then: Xen's pops r11 and
# rcx.
_STUBS = {b"\x41\x5b\x59\xc3": 16, b"\xc3": 0}
_STUB_BYTES = 4

ReadCode = Callable[[int, int], "bytes | None"]


def candidates(evidence: Evidence, read: ReadCode, symbols: Symbols | None = None) -> tuple[int, ...]:
    """rip, then the return addresses, innermost first. `read` gives code by address."""

    def is_return(address: int) -> bool:
        if symbols is not None and len(symbols.table):
            symbol = symbols.table.at(address - 1)
            if symbol is None or not symbol.code:
                return False
        return follows_call(address, read)

    words = dict(_words(evidence))
    found = list(_frames(evidence, words, is_return))
    if not found:
        found = [word for word in words.values() if is_return(word)]
    else:
        found[:0] = [word for word in _stub(evidence, words, read) if is_return(word)]
    return (evidence.rip, *found[: DEPTH - 1])


def _words(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """(address, word) of what was copied, from rsp up."""
    for at in range(0, len(evidence.stack) - 7, 8):
        yield evidence.rsp + at, int.from_bytes(evidence.stack[at : at + 8], "little")


def _stub(evidence: Evidence, words: dict[int, int], read: ReadCode) -> Iterator[int]:
    """Where the stub of the hypercall page that made the call returns to: it has no frame of its own."""
    code = read(evidence.rip, _STUB_BYTES) or b""
    for end, depth in _STUBS.items():
        if code.startswith(end) and evidence.rsp + depth in words:
            yield words[evidence.rsp + depth]


def _frames(evidence: Evidence, words: dict[int, int], is_return: Callable[[int], bool]) -> Iterator[int]:
    """Return addresses by the chain of frame pointers, as far as it lies in the copy and goes up."""
    frame = evidence.rbp
    while frame in words and frame + 8 in words and is_return(words[frame + 8]):
        yield words[frame + 8]
        if words[frame] <= frame:
            return
        frame = words[frame]


def follows_call(address: int, read: ReadCode) -> bool:
    """Whether the instruction before `address` is, as far as bytes tell, a near call (E8, or FF /2)."""
    code = read(address - _LONGEST, _LONGEST) if address >= _LONGEST else None
    if code is None:
        return False
    return code[-5] == 0xE8 or any(code[-n] == 0xFF and code[1 - n] >> 3 & 7 == 2 for n in range(2, _LONGEST + 1))
