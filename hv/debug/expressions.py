"""Expressions that people type: in conditions of breakpoints, as addresses, and to watch on the screen.

    value = compile_expression("*tour_round == 7 && rax < 10", symbols)
    value(vcpu)                    # 0 or 1; ValueError: memory that is not mapped

A name is a register (`rsp`, `$rsp`, `rflags`, `cr2`, `fs_base`), else a symbol, which stands for its address. `*e` and
`[e]` are the 8 bytes at an address; `u32[e]` fewer of them. Operators and their order are C's; all numbers are unsigned
and have 64 bits. Looking leaves no trace in the guest.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from hv.arch import kinds, registers_of
from hv.debug.memory import read_linear

if TYPE_CHECKING:
    from hv.debug.symbols import Symbols
    from hv.vcpu import Vcpu

__all__ = ["COMPARISONS", "Value", "compile_expression", "register_value"]

Value = Callable[["Vcpu"], int]
_MASK = (1 << 64) - 1
_LENGTH = 500
"""Characters of an expression at most."""
_DEPTH = 20
"""Brackets and unary operators inside each other at most."""
_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|[0-9][0-9_]*)|(?P<load>u(?:8|16|32|64)\s*\[)|(?P<name>[A-Za-z_.$][\w.$@]*)"
    r"|(?P<operator><<|>>|==|!=|<=|>=|&&|\|\||[-+*/%&|^~!<>()\[\]]))"
)


def _divided(a: int, b: int) -> int:
    if b == 0:
        raise ValueError("a division by zero")
    return a // b


def _left_over(a: int, b: int) -> int:
    return a - b * _divided(a, b)


COMPARISONS: dict[str, Callable[[int, int], int]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
# Loosest first, as in C.
_BINARY: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"||": lambda a, b: a != 0 or b != 0},
    {"&&": lambda a, b: a != 0 and b != 0},
    {"|": operator.or_},
    {"^": operator.xor},
    {"&": operator.and_},
    {name: COMPARISONS[name] for name in ("==", "!=")},
    {name: COMPARISONS[name] for name in ("<", "<=", ">", ">=")},
    {"<<": lambda a, b: a << b if b < 64 else 0, ">>": lambda a, b: a >> b if b < 64 else 0},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": _divided, "%": _left_over},
)
_UNARY: dict[str, Callable[[int], int]] = {"-": operator.neg, "~": operator.invert, "!": operator.not_}


def compile_expression(text: str, symbols: Symbols) -> Value:
    """What to ask a stopped vcpu. ValueError, one line, when it is no expression or names what is not there."""
    if len(text) > _LENGTH:
        raise ValueError(f"the expression has {len(text)} characters, at most {_LENGTH} may be")
    parser = _Parser(_tokens(text), symbols)
    value = parser.binary(0)
    if parser.next:
        raise ValueError(f"{text.strip()}: {parser.next[1]} is not expected there")
    return value


def register_value(vcpu: Vcpu, name: str) -> int | None:
    """A register by name; None when there is none of that name."""
    if name in vcpu.arch.GENERAL:
        return vcpu.registers[name]
    other: Callable[[Vcpu], int] | None = vcpu.arch.OTHERS.get(name)
    return None if other is None else other(vcpu)


@functools.cache
def _names() -> frozenset[str]:
    """The registers of every kind of vcpu."""
    known = [registers_of(kind) for kind in kinds().values()]
    return frozenset(name for registers in known for name in (*registers.GENERAL, *registers.OTHERS))


def _register(name: str, symbol: int | None) -> Value:
    """A register; of a vcpu that has none of that name, the symbol of that name."""

    def read(vcpu: Vcpu) -> int:
        value = register_value(vcpu, name)
        if value is None:
            value = symbol
        if value is None:
            raise ValueError(f"{name} is no register of this vcpu")
        return value

    return read


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"{text}: {text[at:].strip()[:1]} means nothing in an expression")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        at = match.end()
    return found


class _Parser:
    """Recursive descent over the table of operators."""

    def __init__(self, tokens: list[tuple[str, str]], symbols: Symbols) -> None:
        self._tokens = tokens
        self._symbols = symbols
        self._depth = 0

    @property
    def next(self) -> tuple[str, str] | None:
        return self._tokens[0] if self._tokens else None

    def _accept(self, operators: object) -> str | None:
        if self.next and self.next[0] == "operator" and self.next[1] in operators:  # type: ignore[operator]
            return self._tokens.pop(0)[1]
        return None

    def _expect(self, word: str) -> None:
        if not self._accept((word,)):
            raise ValueError(f"{self.next[1] if self.next else 'the end'} stands where {word} is expected")

    def binary(self, level: int) -> Value:
        if level == len(_BINARY):
            return self.unary()
        left = self.binary(level + 1)
        while word := self._accept(_BINARY[level]):
            left = _apply(_BINARY[level][word], left, self.binary(level + 1))
        return left

    def unary(self) -> Value:
        self._depth += 1
        if self._depth > _DEPTH:
            raise ValueError(f"more than {_DEPTH} brackets or operators inside each other")
        try:
            if word := self._accept(_UNARY):
                return _apply_one(_UNARY[word], self.unary())
            if self._accept("*"):
                return _load(self.unary(), 8)
            if self._accept("["):
                return self._bracket("]", 8)
            if self._accept("("):
                return self._bracket(")", 0)
            return self._leaf()
        finally:
            self._depth -= 1

    def _bracket(self, end: str, size: int) -> Value:
        inner = self.binary(0)
        self._expect(end)
        return _load(inner, size) if size else inner

    def _leaf(self) -> Value:
        if not self._tokens or self._tokens[0][0] == "operator":
            raise ValueError(f"{self.next[1] if self.next else 'the end'} stands where a value is expected")
        kind, text = self._tokens.pop(0)
        if kind == "number":
            return _constant(int(text.replace("_", ""), 16 if text[:2].lower() == "0x" else 10) & _MASK)
        if kind == "load":
            return self._bracket("]", int(text.rstrip("[ ")[1:]) // 8)
        register = text.removeprefix("$")
        if register in _names():
            return _register(register, self._symbol(text))
        return _constant(self._symbols.parse(text))

    def _symbol(self, text: str) -> int | None:
        try:
            return self._symbols.parse(text)
        except ValueError:
            return None


def _constant(number: int) -> Value:
    return lambda vcpu: number


def _apply(function: Callable[[int, int], int], left: Value, right: Value) -> Value:
    return lambda vcpu: int(function(left(vcpu), right(vcpu))) & _MASK


def _apply_one(function: Callable[[int], int], value: Value) -> Value:
    return lambda vcpu: int(function(value(vcpu))) & _MASK


def _load(address: Value, size: int) -> Value:
    def read(vcpu: Vcpu) -> int:
        at = address(vcpu)
        data = read_linear(vcpu, at, size)
        if len(data) < size:
            raise ValueError(f"memory at {at:#x} is not mapped")
        return int.from_bytes(data, "little")

    return read
