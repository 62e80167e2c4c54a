"""Commands that say where we are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.commands import command
from hv.debug.commands.arguments import counts
from hv.debug.here import where as describe

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger


@command("position", "", "the count of retired instructions here")
def position(debugger: Debugger, args: list[str]) -> str:
    """A + behind it: after what was delivered at that count."""
    counts(args, 0, 0, "position")
    return str(debugger.timeline.position)


@command("state-hash", "", "SHA-256 of all state of machine and hypervisor")
def state_hash(debugger: Debugger, args: list[str]) -> str:
    """The same as of a straight run to this place."""
    counts(args, 0, 0, "state-hash")
    return debugger.hv.state_hash


@command("where", "", "position, vcpu, line, instruction, hypercall")
def where(debugger: Debugger, args: list[str]) -> str:
    """What the line mode prints after each movement."""
    counts(args, 0, 0, "where")
    return describe(debugger)
