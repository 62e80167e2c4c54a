"""What commands have in common: reading their arguments, and saying how a movement ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.commands import CommandError
from hv.debug.crash import crash_here
from hv.debug.expressions import compile_expression
from hv.debug.timeline import Why

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.debug.timeline import Moved
    from hv.domain import Domain

LARGEST = (1 << 64) - 1


def number(text: str, what: str) -> int:
    """A number that was typed: decimal, with , or _ between digits, or hexadecimal. CommandError."""
    try:
        return int(text.replace(",", "_"), 0)
    except ValueError:
        raise CommandError(f"{what}: {text} is not a number") from None


def limited(args: list[str], at: int, default: int, what: str, most: int) -> int:
    """The argument at `at`, a number from 1 to `most`, or the default when it is not given. CommandError."""
    if at >= len(args):
        return default
    value = number(args[at], what)
    if not 1 <= value <= most:
        raise CommandError(f"{what}: {args[at]} is out of range; give 1 to {most:,}")
    return value


def counts(args: list[str], least: int, most: int, usage: str) -> None:
    """CommandError unless there are as many arguments as the command takes."""
    if not least <= len(args) <= most:
        raise CommandError(f"usage: {usage}")


def evaluate(debugger: Debugger, text: str, what: str) -> int:
    """The value of an expression on the vcpu that stands here. CommandError."""
    try:
        return compile_expression(text, debugger.symbols)(debugger.vcpu)
    except ValueError as error:
        raise CommandError(f"{what}: {error}") from None


def address(debugger: Debugger, text: str, what: str) -> int:
    """An address: FILE:LINE, or an expression. CommandError."""
    if ":" not in text:
        return evaluate(debugger, text, what)
    try:
        return debugger.symbols.parse(text)
    except ValueError as error:
        raise CommandError(f"{what}: {error}") from None


def domain(debugger: Debugger, args: list[str], what: str) -> Domain:
    """The domain whose number is the first argument; without one, that of the vcpu here. CommandError."""
    if not args:
        return debugger.domain
    domid = number(args[0], what)
    for found in debugger.hv.domains.values():
        if found.domid == domid:
            return found
    known = ", ".join(str(found.domid) for found in debugger.hv.domains.values())
    raise CommandError(f"{what}: there is no domain {domid}; there is {known}")


def frame(debugger: Debugger, text: str, what: str) -> int:
    """A machine frame by number. CommandError."""
    mfn = evaluate(debugger, text, what)
    frames = int(debugger.hv.state.frames)
    if mfn >= frames:
        raise CommandError(f"{what}: there is no machine frame {mfn:#x}; the last one is {frames - 1:#x}")
    return mfn


def said(debugger: Debugger, moved: Moved) -> str:
    """How a movement ended, in one line."""
    crash = crash_here(debugger) if moved.why is Why.SHUTDOWN else None
    if crash is not None:
        return f"crash at instruction {moved.position}: {crash}"
    if moved.why is Why.LIMIT:
        return f"at instruction {moved.position}"
    if moved.why is Why.STRAYED:
        return f"the run is not the one that was saved, and goes on without the rest of its inputs: {moved.problem}"
    met = f": {moved.hit.point.label}" if moved.hit else ""
    return f"{moved.why.value}{met} at instruction {moved.position}"
