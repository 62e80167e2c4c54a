"""help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.commands import SHORT, Command, Quit, command, find, load_commands
from hv.debug.commands.arguments import counts

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger


def usage(known: Command) -> str:
    """A command with what it takes."""
    return f"{known.name} {known.arguments}".rstrip()


@command("help", "[COMMAND]", "list the commands, or say more of one")
def help_(debugger: Debugger, args: list[str]) -> str:
    """All of them, or one."""
    counts(args, 0, 1, "help [COMMAND]")
    if args:
        known = find(args[0])
        return f"{usage(known)}\n  {known.help}"
    lines = [f"{known.name:<20} {known.help}" for known in load_commands().values()]
    short = ", ".join(f"{word} {name}" for word, name in SHORT.items())
    return "\n".join([*lines, "Any beginning that no other command has will do, and so will:", short])


@command("quit", "", "leave the debugger")
def quit_(debugger: Debugger, args: list[str]) -> str:
    """Where there is something to leave."""
    raise Quit
