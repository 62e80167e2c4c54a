"""The debugger with a prompt, and for scripts: the same commands, line by line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hv.debug.commands import CommandError, Quit, execute, find
from hv.debug.commands.completion import candidates
from hv.debug.commands.outside import printable
from hv.debug.here import where
from hv.toolstack.connect import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hv.debug.debugger import Debugger

PROMPT = "(hv) "
_REPEATED = frozenset({"step", "reverse-step", "next-hypercall", "previous-hypercall"})


class Failed(Exception):
    """A line of a script could not be carried out; says which, and why."""


class LineMode:
    """Commands by lines, for one debugger. `write` gets text to print; without one, stdout does.

    After a movement it prints what the guest has printed since, each line behind `|`, and where it stands.
    """

    def __init__(self, debugger: Debugger, write: Callable[[str], object] | None = None) -> None:
        self.debugger = debugger
        self._write = write or sys.stdout.write
        self._moved = False
        self._interrupted = False
        self._printed = {name: console.printed for name, console in self._consoles()}
        debugger.on_move.append(self._on_move)
        debugger.poll = debugger.poll_back = lambda: self._interrupted

    def _on_move(self, moved: object) -> None:
        self._moved = True

    def say(self, text: str) -> None:
        """Print some lines."""
        if text:
            self._write(f"{text}\n")

    # ---- one line ----

    def execute(self, line: str) -> None:
        """Carry out one line and print what it says. CommandError, Quit."""
        self._moved = False
        with self._interruptible():
            said = execute(self.debugger, line)
        self._say_console()
        self.say(said)
        if self._moved:
            self.say(where(self.debugger))

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C ends a movement at the next place where that is possible, and nothing else."""
        self._interrupted = False

        def interrupt(number: int, frame: Any) -> None:
            self._interrupted = True

        try:
            before = signal.signal(signal.SIGINT, interrupt)
        except ValueError:  # not the main thread: nobody's terminal
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _consoles(self) -> Iterator[tuple[str, Console]]:
        for domain in self.debugger.hv.domains.values():
            console = domain.services.get("console")
            if isinstance(console, Console):
                yield domain.name, console

    def _say_console(self) -> None:
        for name, console in self._consoles():
            count = console.printed - self._printed.get(name, 0)  # of a snapshot, the output begins somewhere
            self._printed[name] = console.printed
            new = bytes(console.output[-count:]) if count > 0 else b""
            for line in printable(new.decode("utf-8", "replace")).splitlines():
                self.say(f"| {line}")

    # ---- many lines ----

    def script(self, lines: Iterable[str], source: str) -> bool:
        """Carry out a script, each command printed before what it says; False: it said `quit`. `source` names it in
        complaints. Failed: a command could not be carried out; the rest was not tried."""
        self.say(self.debugger.opened)
        self.debugger.opened = ""
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            self.say(PROMPT + text)
            try:
                self.execute(text)
            except Quit:
                return False
            except CommandError as error:
                raise Failed(f"{source}:{number}: {text}: {error}") from None
        return True

    def interact(self) -> None:
        """A prompt on the terminal until `quit` or the end of the input. An empty line repeats a step."""
        self._prepare_terminal()
        self.say(self.debugger.opened)
        self.say(where(self.debugger))
        last = ""
        while True:
            try:
                line = input(PROMPT).strip() or last
            except EOFError:
                self.say("")
                return
            except KeyboardInterrupt:
                self.say("")
                continue
            try:
                self.execute(line)
                last = line if line and find(line.split()[0]).name in _REPEATED else ""
            except Quit:
                return
            except CommandError as error:
                self.say(str(error))
                last = ""

    def _prepare_terminal(self) -> None:
        """History, and completion of commands and symbols, where Python has readline."""
        try:
            import readline
        except ImportError:
            return

        def complete(text: str, state: int) -> str | None:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            begin, found = candidates(self.debugger, line)
            return line[readline.get_begidx() : begin] + found[state] if state < len(found) else None

        readline.set_completer_delims(" ")
        readline.set_completer(complete)
        readline.parse_and_bind("tab: complete")
