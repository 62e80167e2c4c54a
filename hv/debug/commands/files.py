"""Commands that write files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import counts
from hv.debug.crash import crash_here
from hv.debug.crash_file import MOST, with_crash
from hv.debug.snapshot_file import save

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger


@command("snapshot", "FILE", "write this moment, and moments before it, for hv debug FILE")
def snapshot(debugger: Debugger, args: list[str]) -> str:
    """The beginning of time and some moments since are in the file, so that its reader can go back as well."""
    counts(args, 1, 1, "snapshot FILE")
    timeline = debugger.timeline
    if timeline.position.inside:
        raise CommandError("snapshot: not between a delivery and the handler's first instruction; step first")
    before = timeline.moments.before(timeline.position.count)[::-1]
    about = with_crash(debugger.about, crash_here(debugger))
    kept = before[:: len(before) // MOST + 1]
    try:
        save(args[0], debugger.hv, [*kept, debugger.hv.snapshot()], about)
    except OSError as error:
        raise CommandError(f"snapshot: {args[0]} cannot be written: {error.strerror}") from None
    except ValueError as error:  # a name that no file can have
        raise CommandError(f"snapshot: {error}") from None
    return f"{len(kept) + 1} moments up to instruction {timeline.position} in {args[0]}"
