"""Commands that move through time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug import stops
from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import counts, limited, number, said

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

_MOST = 10**12


@command("step", "[N]", "execute N instructions (default 1)")
def step(debugger: Debugger, args: list[str]) -> str:
    """Forwards."""
    counts(args, 0, 1, "step [N]")
    return said(debugger, debugger.step(limited(args, 0, 1, "step", _MOST)))


@command("reverse-step", "[N]", "go N instructions back (default 1)")
def reverse_step(debugger: Debugger, args: list[str]) -> str:
    """Backwards."""
    counts(args, 0, 1, "reverse-step [N]")
    return _to(debugger, debugger.hv.instructions - limited(args, 0, 1, "reverse-step", _MOST))


@command("continue", "", "run to a stop point or to the end")
def cont(debugger: Debugger, args: list[str]) -> str:
    """Forwards."""
    counts(args, 0, 0, "continue")
    return said(debugger, debugger.run())


@command("reverse-continue", "", "run backwards to a stop point or to the beginning")
def reverse_continue(debugger: Debugger, args: list[str]) -> str:
    """Backwards."""
    counts(args, 0, 0, "reverse-continue")
    return said(debugger, debugger.run_back())


@command("next-hypercall", "", "run to the next hypercall")
def next_hypercall(debugger: Debugger, args: list[str]) -> str:
    """Whatever other stop points are set."""
    counts(args, 0, 0, "next-hypercall")
    return said(debugger, debugger.run_only([stops.hypercall("any")]))


@command("previous-hypercall", "", "run backwards to the last hypercall")
def previous_hypercall(debugger: Debugger, args: list[str]) -> str:
    """Whatever other stop points are set."""
    counts(args, 0, 0, "previous-hypercall")
    return said(debugger, debugger.run_only([stops.hypercall("any")], back=True))


@command("until", "COUNT", "run to a stop point, at most to a count")
def until(debugger: Debugger, args: list[str]) -> str:
    """Forwards only."""
    counts(args, 1, 1, "until COUNT")
    count = number(args[0], "until")
    if count < debugger.hv.instructions:
        raise CommandError(f"until: {count:,} has passed; goto {count} goes back")
    return said(debugger, debugger.run(limit=min(count, _MOST)))


@command("goto", "COUNT", "go to a count of instructions, in either direction")
def goto(debugger: Debugger, args: list[str]) -> str:
    """One argument: the count."""
    if len(args) != 1:
        raise CommandError("goto takes one COUNT of retired instructions")
    count = number(args[0], "goto")
    if count < 0:
        raise CommandError(f"goto: {args[0]} is before the beginning of time; give 0 or more")
    return _to(debugger, min(count, _MOST))


def _to(debugger: Debugger, count: int) -> str:
    """To a count, or to the beginning of time, which may be a snapshot file's first moment."""
    moved = debugger.goto(count)
    begin = debugger.timeline.begin
    if count >= begin:
        return said(debugger, moved)
    return f"begin at instruction {moved.position}{': no earlier moment is known' if begin else ''}"
