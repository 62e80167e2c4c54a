"""Commands that move through time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug import stops
from hv.debug.commands import CommandError, command

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.debug.timeline import Moved


def number(text: str, what: str) -> int:
    """A number that was typed: decimal, with , or _ between digits, or hexadecimal. CommandError."""
    try:
        return int(text.replace(",", "_"), 0)
    except ValueError:
        raise CommandError(f"{what}: {text} is not a number") from None


def said(moved: Moved) -> str:
    """How a movement ended, in one line."""
    met = f": {moved.hit.point.label}" if moved.hit else ""
    return f"{moved.why.value}{met} at instruction {moved.position}"


@command("goto", "COUNT", "go to a count of retired instructions, in either direction")
def goto(debugger: Debugger, args: list[str]) -> str:
    """One argument: the count."""
    if len(args) != 1:
        raise CommandError("goto takes one COUNT of retired instructions")
    return said(debugger.goto(number(args[0], "goto")))


@command("step", "[N]", "execute N instructions (default 1)")
def step(debugger: Debugger, args: list[str]) -> str:
    """Forwards."""
    return said(debugger.step(number(args[0], "step") if args else 1))


@command("reverse-step", "[N]", "go N instructions back (default 1)")
def reverse_step(debugger: Debugger, args: list[str]) -> str:
    """Backwards."""
    return said(debugger.step(-(number(args[0], "reverse-step") if args else 1)))


@command("continue", "", "run to a stop point or to the end")
def cont(debugger: Debugger, args: list[str]) -> str:
    """Forwards."""
    return said(debugger.run())


@command("reverse-continue", "", "run backwards to a stop point or to the beginning")
def reverse_continue(debugger: Debugger, args: list[str]) -> str:
    """Backwards."""
    return said(debugger.run_back())


@command("next-hypercall", "", "run to the next hypercall")
def next_hypercall(debugger: Debugger, args: list[str]) -> str:
    """Whatever other stop points are set."""
    return said(debugger.run_only([stops.hypercall("any")]))


@command("previous-hypercall", "", "run backwards to the last hypercall")
def previous_hypercall(debugger: Debugger, args: list[str]) -> str:
    """Whatever other stop points are set."""
    return said(debugger.run_only([stops.hypercall("any")], back=True))


@command("position", "", "show how many instructions have retired")
def position(debugger: Debugger, args: list[str]) -> str:
    """A + behind the count: what is due at it has been delivered."""
    return str(debugger.timeline.position)


@command("state-hash", "", "show the SHA-256 of all state: equal for equal states")
def state_hash(debugger: Debugger, args: list[str]) -> str:
    """Machine, hypervisor and back ends."""
    return debugger.hv.state_hash
