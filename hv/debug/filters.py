"""Which records a trace keeps: what `-e` says, as masks for C and as a test for each Trap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hv import abi
from hv.arch.exceptions import all_exceptions
from hv.debug.records import KINDS, Trap
from hv.debug.stops import subop_number
from hv.native import lib

__all__ = ["EVERYTHING", "TRAPS", "Filter", "FilterError", "parse_filter"]

_ALL = (1 << 64) - 1
_LAST = 63  # this bit stands for itself and for all that are larger
_NUMBERS = {name: number for number, name in KINDS.items()}

# The words of -e, and the kinds that each asks for.
WORDS: dict[str, tuple[str, ...]] = {
    "hypercall": ("hypercall", "entry"),
    "trap": ("exception", "nmi"),
    "event": ("event", "send"),
    "pagetable": ("pagetable",),
    "switch": ("switch",),
    "io": ("io",),
    "power": ("power",),
}
USUAL = ("hypercall", "trap", "event", "power")


class FilterError(ValueError):
    """An expression of -e that means nothing: one line, with what would be accepted."""


class Filter(NamedTuple):
    """Kinds by name; of exceptions the vectors, of hypercalls the numbers, as bit masks. `decoded`: hypercalls come
    with the memory that they point to and with their refusals. `subops`: single sub-operations of further hypercalls,
    as (hypercall, sub-operation) by number; C is asked for all of these hypercalls."""

    kinds: frozenset[str] = frozenset()
    vectors: int = _ALL
    hypercalls: int = _ALL
    decoded: bool = True
    subops: frozenset[tuple[int, int | None]] = frozenset()

    def accepts(self, trap: Trap) -> bool:
        """Whether a record is one of those asked for."""
        if trap.kind not in self.kinds:
            return False
        if trap.kind == "exception":
            return bool(self.vectors >> min(trap.number, _LAST) & 1)
        if not trap.is_call or self.hypercalls >> min(trap.number, _LAST) & 1:
            return True
        return bool(self.subops) and (trap.number, abi.subop_of(trap.name, trap.args[0])) in self.subops

    def __or__(self, other: Filter) -> Filter:
        """What either asks for."""

        def mask(kinds: tuple[str, ...], one: int, two: int) -> int:
            return (one if self.kinds & set(kinds) else 0) | (two if other.kinds & set(kinds) else 0)

        return Filter(
            self.kinds | other.kinds,
            mask(("exception",), self.vectors, other.vectors),
            mask(WORDS["hypercall"], self.hypercalls, other.hypercalls),
            self.decoded or other.decoded,
            self.subops | other.subops,
        )

    def masks(self) -> dict[str, int]:
        """A `struct trace_filter` for hv_trace()."""
        kinds = 0
        for name in self.kinds:
            kinds |= 1 << _NUMBERS[name]
        if self.decoded and kinds & (1 << lib.TRAP_LOG_HYPERCALL | 1 << lib.TRAP_LOG_ENTRY):
            kinds |= 1 << lib.TRAP_LOG_DATA | 1 << lib.TRAP_LOG_OUTPUT | 1 << lib.TRAP_LOG_REFUSED
        hypercalls = self.hypercalls | _mask([number for number, _ in self.subops], _LAST)
        return {"kinds": kinds, "vectors": self.vectors, "hypercalls": hypercalls}


TRAPS = Filter(frozenset({"exception", "hypercall", "event", "nmi"}), decoded=False)
"""What `hv run --trace` writes."""
EVERYTHING = Filter(frozenset(KINDS.values()))


def parse_filter(expressions: Iterable[str]) -> Filter:
    """The filter that all expressions together ask for; without any, USUAL. FilterError."""
    found = Filter()
    for text in list(expressions) or USUAL:
        found |= _parse(text)
    return found


def _parse(text: str) -> Filter:
    word, equals, values = text.partition("=")
    if word == "all" and not equals:
        return EVERYTHING
    if word not in WORDS:
        raise FilterError(f"-e {text}: there is no kind {word!r}; give one of {', '.join(WORDS)}, all")
    kinds = frozenset(WORDS[word])
    names = [name for name in values.split(",") if name]
    if not equals:
        return Filter(kinds)
    if word not in ("hypercall", "trap") or not names:
        raise FilterError(f"-e {text}: {word} takes no list; give hypercall=NAME,... or trap=VECTOR,... or -e {word}")
    if word == "hypercall":
        whole = _mask([_hypercall(name, text) for name in names if "." not in name], _LAST)
        return Filter(kinds, hypercalls=whole, subops=frozenset(_subop(name, text) for name in names if "." in name))
    numbers = [_vector(name, text) for name in names]
    wanted = {"nmi"} if 2 in numbers else set()
    return Filter(frozenset({"exception"} | wanted), vectors=_mask(numbers, _LAST))


def _mask(numbers: Iterable[int], last: int) -> int:
    mask = 0
    for number in numbers:
        mask |= 1 << min(number, last)
    return mask


def _hypercall(name: str, text: str) -> int:
    number = abi.HYPERCALL_NUMBERS.get(name)
    if number is None:
        raise FilterError(f"-e {text}: there is no hypercall {name!r}; {_nearest(name, abi.HYPERCALL_NUMBERS)}")
    return number


def _subop(name: str, text: str) -> tuple[int, int]:
    """NAME.SUBOP, with the sub-operation's prefix or without."""
    call, _, sub = name.partition(".")
    number = _hypercall(call, text)
    try:
        return number, subop_number(call, sub)
    except ValueError as error:
        raise FilterError(f"-e {text}: {error}") from None


def _vector(name: str, text: str) -> int:
    known = [exceptions for exceptions in all_exceptions() if exceptions.number(name) is not None]
    if known:
        return known[0].number(name) or 0
    try:
        number = int(name, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 255:
        near = _nearest(name, _exception_names())
        raise FilterError(f"-e {text}: there is no trap {name!r}; {near}, or a number to 255")
    return number


def _exception_names() -> list[str]:
    return [name for exceptions in all_exceptions() for name in exceptions.names.values()]


def _nearest(name: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(names), 3)
    return f"did you mean {' or '.join(close)}?" if close else f"give one of {', '.join(list(names)[:6])} ..."
