"""Commands that say what has happened, and what will."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.commands import command
from hv.debug.commands.arguments import counts, limited
from hv.debug.past import CALLS
from hv.debug.trace_text import line
from hv.debug.why import as_text

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.debug.past import Records

_MOST = 10_000


def _looked(debugger: Debugger, records: Records, count: int, what: str) -> list[str]:
    """A line that says how far was looked, when there were fewer than were asked for."""
    begin = debugger.timeline.begin
    if len(records.found) >= count:
        return []
    since = "the beginning" if records.reached <= begin else f"instruction {records.reached:,}"
    return [] if records.found else [f"{what} since {since}"]


@command("hypercalls", "[N]", "the last N hypercalls (default 10), with results")
def hypercalls(debugger: Debugger, args: list[str]) -> str:
    """Found by repeating the run."""
    counts(args, 0, 1, "hypercalls [N]")
    count = limited(args, 0, 10, "hypercalls", _MOST)
    records = debugger.past.before(count, CALLS)
    lines = _looked(debugger, records, count, "no hypercall was made")
    return "\n".join(lines + [line(trap) for trap in records.found])


@command("timeline", "[N]", "N traps, calls, events (default 8) before and behind")
def timeline(debugger: Debugger, args: list[str]) -> str:
    """Their counts are for `goto`. What follows holds unless other input comes."""
    counts(args, 0, 1, "timeline [N]")
    count = limited(args, 0, 8, "timeline", _MOST)
    before, after = debugger.past.before(count), debugger.past.after(count)
    lines = _looked(debugger, before, count, "nothing happened")
    lines += [f"  {line(trap)}" for trap in before.found]
    lines.append(f"> {debugger.hv.instructions:>14,} here")
    return "\n".join(lines + [f"  {line(trap)}" for trap in after.found])


@command("why", "", "refused hypercalls so far: rule, values, call stack")
def why(debugger: Debugger, args: list[str]) -> str:
    """Since the debugger began."""
    counts(args, 0, 0, "why")
    return as_text(debugger.past.failures())
