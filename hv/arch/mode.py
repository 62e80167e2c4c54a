"""How a vcpu executes what stands before it. Each architecture tells its own: hv/arch/NAME/mode.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Mode(NamedTuple):
    """Addresses that a debugger speaks of are linear: `pc` and `sp`, not rip and rsp where segments have bases."""

    name: str
    code: str
    """The kind of code, as isa.code.decoder() knows it."""
    bits: int
    """Of operands and addresses in code that no prefix says otherwise of: 64, 32 or 16."""
    user: bool
    pc: int
    """The linear address of the next instruction."""
    sp: int
    """The linear address of the top of the stack."""
    segment: str = ""
    """Where selectors are segments' addresses (real mode, virtual 8086 mode), the next instruction by these: cs:ip."""

    @property
    def word(self) -> int:
        """Bytes of what a push in this code pushes."""
        return self.bits // 8


class FrameRecord(NamedTuple):
    """How calls are found on the stack of a kind of vcpu whose compilers keep frame records: two words, the caller's
    frame pointer and the return address, that begin where the frame pointer points."""

    frame: str
    """The register that is the frame pointer."""
    link: str
    """The one that holds the return address when a function is entered; empty: calls leave it on the stack."""
    stack: str
    word: int
    """Bytes."""
    uses: Callable[[bytes], bool] = bool
    """Whether code, a function's from its beginning on, has made the frame pointer its own, or `link` another's."""
    returns: bytes = b""
    """The instruction that returns by `link`: where it is next, the record has gone, and `link` is back."""
    numbers: tuple[str, ...] = ()
    """The registers by DWARF's numbers, as call frame information names them."""
    above: Callable[[bytes], int] | None = None
    """Bytes from the record, or the stack pointer while there is none, to where the stack pointer is after the return,
    by the function's code so far; None: the record is the last of a frame, two words."""
    marks: int = 0
    """Bits of a return address that tell of the code there, and are no part of the address."""


class CallAt(NamedTuple):
    """A hypercall that the next instruction makes: its number, its arguments, and the guest ABI that they follow."""

    number: int
    arguments: tuple[int, ...]
    abi: str
