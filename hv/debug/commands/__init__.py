"""The words that people type: in gdb behind `monitor`, and in the line mode and on the screen of `hv debug`.

A command is a function that gets the Debugger and its arguments and returns the text to show:

    @command("goto", "COUNT", "go to a count of retired instructions, in either direction")
    def goto(debugger: Debugger, args: list[str]) -> str: ...

It refuses by raising CommandError with one line. A command may be shortened to any beginning that no other has.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from hv.native import NativeError

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

__all__ = ["COMMANDS", "Command", "CommandError", "Quit", "command", "execute", "find", "load_commands"]

Function = Callable[["Debugger", list[str]], str]
MODULES = (
    "about", "moving", "state", "stopping", "vcpu", "display", "memory", "history", "domains", "frames", "outside",
)  # fmt: skip
"""The modules of this package that have commands, in the order in which help lists them."""


SHORT = {
    "s": "step", "S": "reverse-step", "n": "next-hypercall", "N": "previous-hypercall", "c": "continue",
    "C": "reverse-continue", "g": "goto", "b": "break", "d": "delete", "p": "print", "x": "memory", "bt": "backtrace",
    "?": "help",
}  # fmt: skip
"""What is short though other commands begin so too: the keys of the screen, and what gdb's users are used to."""


class CommandError(Exception):
    """A command that cannot be carried out: one line that says why."""


class Quit(CommandError):
    """The debugger is to be left."""

    def __init__(self) -> None:
        super().__init__("quit is for the line mode and the screen; here, leave as you would without it")


class Command(NamedTuple):
    """One command: its name, what it takes, what it does in one line."""

    name: str
    arguments: str
    help: str
    function: Function


COMMANDS: dict[str, Command] = {}


def command(name: str, arguments: str, help: str) -> Callable[[Function], Function]:
    """Register a command. ValueError: there is one of that name."""

    def register(function: Function) -> Function:
        if name in COMMANDS:
            raise ValueError(f"command {name} is registered twice")
        COMMANDS[name] = Command(name, arguments, help, function)
        return function

    return register


def load_commands() -> dict[str, Command]:
    """All commands, by name."""
    for module in MODULES:
        importlib.import_module(f"{__name__}.{module}")
    return COMMANDS


def find(word: str) -> Command:
    """The command that a word means. CommandError: none, or several."""
    known = load_commands()
    word = SHORT.get(word, word)
    if word in known:
        return known[word]
    matches = [name for name in known if name.startswith(word)]
    if len(matches) == 1:
        return known[matches[0]]
    if matches:
        raise CommandError(f"{word} may mean {', '.join(matches)}")
    raise CommandError(f"there is no command {word}; help lists them")


def execute(debugger: Debugger, line: str) -> str:
    """Carry out one line; the text to show, with no newline at its end. Empty lines, and those that begin with #, do
    nothing. CommandError."""
    if line.lstrip().startswith("#"):
        return ""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise CommandError(f"{line.strip()}: {error}") from None
    if not words:
        return ""
    found = find(words[0])
    try:
        return found.function(debugger, words[1:]).rstrip("\n")
    except NativeError as error:  # the host has no memory for a snapshot or a fork
        raise CommandError(f"{found.name}: {error}") from None
