"""Expressions that are shown at each stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import counts, number
from hv.debug.expressions import compile_expression
from hv.debug.here import displays

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

_MOST = 50
_WORDS = 100


@command("display", "[EXPRESSION]", "show an expression at each stop; without one, show them all")
def display(debugger: Debugger, args: list[str]) -> str:
    """On the screen they have a pane."""
    counts(args, 0, _WORDS, "display [EXPRESSION]")
    if args:
        if len(debugger.displays) >= _MOST:
            raise CommandError(f"display: there are {_MOST} expressions already; undisplay takes one away")
        text = " ".join(args)
        try:
            value = compile_expression(text, debugger.symbols)
        except ValueError as error:
            raise CommandError(f"display: {error}") from None
        debugger.displays[max(debugger.displays, default=0) + 1] = (text, value)
        return displays(debugger)[-1]
    return "\n".join(displays(debugger)) or "no expression is shown"


@command("undisplay", "N|all", "show an expression no more")
def undisplay(debugger: Debugger, args: list[str]) -> str:
    """By the number that stands before it."""
    counts(args, 1, 1, "undisplay N|all")
    if args[0] == "all":
        debugger.displays.clear()
        return "no expression is shown"
    wanted = number(args[0], "undisplay")
    if wanted not in debugger.displays:
        raise CommandError(f"undisplay: there is no expression {wanted}; display lists them")
    return f"{wanted} is shown no more: {debugger.displays.pop(wanted)[0]}"
