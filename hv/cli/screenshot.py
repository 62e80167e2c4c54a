"""`hv screenshot`: run a guest to a place in time, or until its screen says something, and write down its screen."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_CRASH, EXIT_OK, EXIT_TIMEOUT, EXIT_USAGE
from hv.cli.options import GUEST_OPTIONS, OUTPUT, CommandLine, Option, check_writable

if TYPE_CHECKING:
    from hv.cli.session import Session
    from hv.devices.screen import Screen

_EPILOG = """\
exit codes:
  0  the screen is written: at the limit, when --until was met, or when the guest has powered off
  1  the guest crashed; its screen is written, and a report is on stderr
  2  the command line or an input file cannot be used, or there is no screen, or no text on it
  7  --until was not met before the guest ended, or the limit was reached; the screen is written

examples:
  hv screenshot --type hvm --disk disk.img --until "Press any key" -o screen.png
  hv screenshot --type hvm --disk disk.img --timeout 3 --text
  hv screenshot vmlinuz --type hvm --memory 256 --cmdline "console=tty0" --max-insns 2000000000 -o linux.png
  hv screenshot guest.snapshot -o screen.png

Nothing is typed, and idle time is skipped, so the picture is the same each time. Without a limit or --until it is taken
after 60 guest seconds. To work with a screen: hv run --vnc.
"""
USUAL_SECONDS = 60.0
"""Guest time, when nothing else is asked for."""
LOOK_INSNS, LOOK_NS = 2_000_000, 50_000_000
"""Between two looks for the text of --until: whichever has passed first."""
COMMAND = CommandLine(
    "screenshot",
    "Run a guest, and write its screen as a picture (PNG), or as text.",
    _EPILOG,
    (
        Option("--output", OUTPUT, str, None, "FILE", "write there; -: to stdout, where --text goes without it",
               short="-o"),
        Option("--text", OUTPUT, None, False, "", "write the characters of a text mode, not a picture"),
        Option("--until", OUTPUT, str, None, "TEXT", "when a line of the screen (in a text mode) has this"),
        *(option for option in GUEST_OPTIONS if option.name != "realtime"),
    ),
)  # fmt: skip


def main(argv: list[str]) -> int:
    """`hv screenshot ARGV...`: the exit code that the epilog of --help lists."""
    from hv.debug.container import FileFormatError, is_of
    from hv.debug.snapshot_file import KIND
    from hv.toolstack.screenshot import NoScreenError

    options = COMMAND.parse(argv)
    options.realtime = False
    try:
        if options.output is None and not options.text:
            raise BuilderError("--output", "no file is given for the picture", "say -o FILE, or --text")
        if options.output not in (None, "-"):
            check_writable("--output", options.output)
        if options.kernel is not None and is_of(options.kernel, KIND):
            return _of_snapshot(options)
        return _of_run(options)
    except (BuilderError, NoScreenError, FileFormatError) as error:
        sys.stderr.write(f"hv screenshot: {error}\n")
        return EXIT_USAGE


def _of_snapshot(options: Any) -> int:
    from hv.debug.snapshot_file import load
    from hv.toolstack.screenshot import find_screen

    for flag in ("--until", "--max-insns", "--timeout", "--wall-timeout"):
        if getattr(options, flag[2:].replace("-", "_")) is not None:
            raise BuilderError(flag, "a snapshot does not go on", "leave it out, or give a guest to run")
    _write(find_screen(load(options.kernel).hv), options)
    return EXIT_OK


def _of_run(options: Any) -> int:
    from hv.cli.outcome import report_crash
    from hv.cli.session import Session
    from hv.toolstack.screenshot import screen_of

    COMMAND.check(options)
    session = Session(options)
    session.terminal.ended = True  # nobody types
    session.console.sink = lambda data: None
    screen = screen_of(session.domain)
    with session:
        found = _run(session, screen, options)
    _write(screen, options)
    if report_crash(session):
        return EXIT_CRASH
    if options.until is not None and not found:
        where = f"at {session.hv.now_ns / 1e9:.3f} guest seconds, {session.hv.instructions:,} instructions"
        missing = f"{options.until!r} has not come"
        sys.stderr.write(f"hv screenshot: --until: {missing}; the screen is written as it was {where}\n")
        return EXIT_TIMEOUT
    return EXIT_OK


def _run(session: Session, screen: Screen, options: Any) -> bool:
    """Run to where the picture is to be taken; whether the text was there."""
    hv = session.hv
    seconds = options.timeout
    if (seconds, options.max_insns, options.wall_timeout) == (None, None, None):
        seconds = USUAL_SECONDS
    end_insns = float("inf") if options.max_insns is None else options.max_insns
    end_ns = float("inf") if seconds is None else int(seconds * 1e9)
    wall_end = None if options.wall_timeout is None else time.monotonic() + options.wall_timeout
    while True:
        if options.until is not None and any(options.until in line for line in screen.text()):
            return True
        if hv.instructions >= end_insns or hv.now_ns >= end_ns:
            return False
        result = hv.run(
            max_insns=int(min(end_insns, hv.instructions + LOOK_INSNS)),
            until_ns=int(min(end_ns, hv.now_ns + LOOK_NS)),
            wall_seconds=None if wall_end is None else max(wall_end - time.monotonic(), 0),
            poll=session.poll,
        )
        if result.stop.value not in ("max_insns", "timeout"):
            return options.until is not None and any(options.until in line for line in screen.text())


def _write(screen: Screen, options: Any) -> None:
    data = _text(screen) if options.text else screen.png()
    if options.output in (None, "-"):
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        with open(options.output, "wb") as file:
            file.write(data)
    except OSError as error:
        raise BuilderError("--output", f"{options.output} cannot be written: {error.strerror}", "make room") from None


def _text(screen: Screen) -> bytes:
    from hv.devices.screen import is_text

    seen = screen.seen()
    if not seen.lit or not is_text(seen):
        what = "is in a graphics mode" if seen.lit else "is off"
        raise BuilderError("--text", f"the screen {what}", "leave out --text, or take it at another time")
    return "".join(f"{line}\n" for line in screen.text()).encode()
