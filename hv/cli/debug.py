"""`hv debug FILE`: step through a guest, forwards and backwards: on a screen, at a prompt, or by a script."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError, why_not
from hv.cli.main import EXIT_CRASH, EXIT_OK, EXIT_USAGE
from hv.cli.options import GUEST_OPTIONS, CommandLine, Option, positive

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

_EPILOG = """\
KERNEL may also be a snapshot file or a recording: then the options of the guest are those that it was made with.
The guest is stopped before its first instruction; that of a snapshot file at its last moment; a guest that has crashed
before the instruction that brought it about. On a terminal a screen opens; with --line, or where stdin or stdout
is no terminal, commands are read line by line. `help` lists them; docs/debug.md says more.

exit codes:
  0  left, or the end of the script
  1  a command of a script could not be carried out; stderr names it
  2  the command line or an input file cannot be used

examples:
  hv debug guest.elf
  hv debug --line guest.elf --memory 32 --cmdline "mode=fast"
  hv debug guest.elf --command "break-hypercall grant_table_op.map_grant_ref" --command continue --command backtrace
  hv run guest.elf --on-crash snapshot; hv debug guest.elf.snapshot
  hv debug vmlinuz --memory 256 --ramdisk initrd.cpio -x commands.txt
"""
_HOW = "how commands are given"
_NOT_HERE = ("--max-insns", "--timeout", "--wall-timeout", "--realtime")  # whoever debugs says how far to run
COMMAND = CommandLine(
    "debug",
    "Step through a Xen guest: instructions, hypercalls, traps and events, forwards and backwards in time.",
    _EPILOG,
    (
        Option("--line", _HOW, None, False, "", "a prompt instead of the screen"),
        Option("--command", _HOW, str, None, "COMMAND", "carry out a command and leave (may be repeated)", repeat=True),
        Option("--execute", _HOW, str, None, "FILE", "carry out a file of commands, before those of --command, and "
               "leave (may be repeated)", short="-x", repeat=True),
        *(option for option in GUEST_OPTIONS if option.flag not in _NOT_HERE),
        Option("--snapshot-memory", "time and order", positive, 1024, "MIB",
               "memory for going back in time (default 1024)"),
    ),
)  # fmt: skip


def main(argv: list[str]) -> int:
    """`hv debug ARGV...`: the exit code that the epilog of --help lists."""
    options = COMMAND.parse(argv)
    try:
        COMMAND.check(options)
        scripts = _scripts(options)
        from hv.debug.container import FileFormatError
        from hv.debug.target import open_target
    except BuilderError as error:
        sys.stderr.write(f"hv debug: {error}\n")
        return EXIT_USAGE
    try:
        debugger = open_target(options.kernel, options)
    except (BuilderError, FileFormatError) as error:
        sys.stderr.write(f"hv debug: {error}\n")
        return EXIT_USAGE
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not scripts and terminal and not options.line and sys.stderr.isatty():  # textual draws on stderr
        return _screen(debugger)
    return _lines(debugger, scripts, terminal)


def _scripts(options: Any) -> list[tuple[str, list[str]]]:
    """What is to be carried out, each with a name for complaints. BuilderError: a file cannot be read."""
    found = []
    for path in options.execute or ():
        try:
            with open(path, encoding="utf-8") as file:
                found.append((path, file.read().splitlines()))
        except (OSError, ValueError) as error:
            problem = f"{path} cannot be read: {why_not(error)}"
            raise BuilderError("-x", problem, "give a text file of commands") from None
    if options.command:
        found.append(("--command", options.command))
    return found


def _lines(debugger: Debugger, scripts: list[tuple[str, list[str]]], terminal: bool) -> int:
    from hv.debug.line_mode import Failed, LineMode

    if isinstance(sys.stdout, io.TextIOWrapper):  # any bytes on the command line, any guest's console
        sys.stdout.reconfigure(errors="backslashreplace")
    mode = LineMode(debugger)
    if not scripts and terminal:
        mode.interact()
        return EXIT_OK
    try:
        for source, lines in scripts or [("stdin", list(sys.stdin))]:
            if not mode.script(lines, source):
                break
    except Failed as error:
        sys.stdout.flush()
        sys.stderr.write(f"hv debug: {error}\n")
        return EXIT_CRASH
    return EXIT_OK


def _screen(debugger: Debugger) -> int:
    from hv.debug.screen import Screen

    Screen(debugger).run()
    return EXIT_OK
