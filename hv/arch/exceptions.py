"""What the exceptions of an architecture are called, and what belongs to one. Each lists its own:
hv/arch/NAME/exceptions.py has EXCEPTIONS."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from hv.arch import Kind, architecture, installed, kind_numbered


class Exceptions(NamedTuple):
    """By number: the vector, or the class of a syndrome."""

    names: dict[int, str]
    unnamed: str
    """What one without a name is called, with its number: "int {:#x}"."""
    error: str
    """What its `error` is called."""
    pc: str
    """What the address of an instruction is called."""
    with_error: frozenset[int]
    """Those that have one."""
    with_address: frozenset[int]
    """Those that concern an address."""
    by_instruction: frozenset[int] = frozenset()
    """Those that an instruction of their own raises, so that they keep their names when software does."""

    counters: dict[int, str] = {}  # noqa: RUF012
    """Names of the counters of native/xen that count something else than the exception of their number."""

    def counter(self, number: int) -> str:
        """What a counter of native/xen counts."""
        return self.counters.get(number) or self.name(number)

    def name(self, number: int, *, software: bool = False) -> str:
        """Its name. `software`: an instruction that may raise any number raised it, as INT in real mode does to call
        the BIOS (int 0x10): no exception."""
        if number in self.names and not (software and number not in self.by_instruction):
            return self.names[number]
        return self.unnamed.format(number)

    def number(self, name: str) -> int | None:
        """The number of a name, in capitals or not, with its `#` or without. None: there is no such exception."""
        wanted = name.upper().lstrip("#")
        return next((number for number, known in self.names.items() if known.upper().lstrip("#") == wanted), None)


def exceptions_of(kind: Kind) -> Exceptions:
    """Those of the processors of a kind of domain."""
    found: Exceptions = architecture(kind.abi, "exceptions").EXCEPTIONS
    return found


@cache
def exceptions_numbered(number: int) -> Exceptions:
    """Those of a domain whose `domain.type` is `number`."""
    return exceptions_of(kind_numbered(number))


@cache
def all_exceptions() -> tuple[Exceptions, ...]:
    """Those of every architecture that is there: what a name may mean before there is a guest."""
    return tuple(module.EXCEPTIONS for module in installed("exceptions"))
