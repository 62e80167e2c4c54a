"""`hv gdb KERNEL`: a guest that waits for gdb before its first instruction; and `hv run --gdb`, which does not wait."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_USAGE
from hv.cli.options import GUEST_OPTIONS, CommandLine, Option, address
from hv.cli.outcome import exit_code, report_crash
from hv.toolstack.address import LOOPBACK, listen

if TYPE_CHECKING:
    from hv.cli.session import Session

_EPILOG = """\
exit codes:
  0  gdb killed the guest, the guest powered off after gdb had detached, or the user left with Ctrl-]
  1  the guest crashed, and no gdb was there to look at it
  2  the command line or an input file cannot be used
  7  no gdb was there, and the guest waits for ever

examples:
  hv gdb guest.elf                                  and in another terminal:
    gdb guest.elf -ex "target remote 127.0.0.1:1234"
  hv gdb guest.elf --listen 0 --memory 32           a free port, printed on stderr
  hv gdb vmlinuz --ramdisk initrd.cpio --cmdline "console=hvc0" --listen 0.0.0.0:4000

The guest's console is stdin and stdout. Time runs both ways: reverse-stepi, reverse-continue. docs/gdb.md says more.
"""
DEFAULT_PORT = 1234
"""QEMU's: what people type."""
_NOT_HERE = ("--max-insns", "--timeout", "--wall-timeout", "--trace", "--coverage", "--drcov", "--record")
"""What says when a run ends, or writes down what happens while it goes on: under gdb it goes back and forth."""


def check(options: Any) -> None:
    """What of hv run does not go together with gdb. BuilderError."""
    for flag in _NOT_HERE:
        if getattr(options, flag[2:].replace("-", "_")) is not None:
            raise BuilderError(flag, "does not go together with a debugger", f"leave out {flag}")


def serve(session: Session, where: tuple[str, int], command: str, *, running: bool) -> str | None:
    """Serve gdb to the end. Why it ended, as Session.run() says it. None: the address cannot be had, and stderr says
    why."""
    from hv.debug.crash_file import about_guest
    from hv.debug.debugger import Debugger
    from hv.debug.gdb.server import KILLED, LEFT, GdbServer
    from hv.debug.symbols import Symbols

    try:
        listener = listen(*where)
    except (OSError, UnicodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        shown = f"{where[0]}:{where[1]} cannot be listened on: {reason}"
        sys.stderr.write(f"hv {command}: {shown}; give another [HOST:]PORT, or port 0\n")
        return None
    with listener, session:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        state = "running; gdb stops it" if running else "waiting for gdb"
        sys.stderr.write(f"hv {command}: {state}: target remote {shown}\n")
        sys.stderr.flush()
        debugger = Debugger(session.hv, symbols=Symbols(session.image))
        debugger.about = about_guest(session.options.kernel, session.options.firmware)
        server = GdbServer(debugger, listener, session, kernel=session.image, running=running)
        if session.options.realtime:
            session.hv.idle = server.idle
        why = server.serve()
    return LEFT if why == KILLED else why


COMMAND = CommandLine(
    "gdb",
    "Boot a Xen guest kernel under gdb: it waits for gdb before its first instruction.",
    _EPILOG,
    (
        Option("--listen", "gdb", address, (LOOPBACK, DEFAULT_PORT), "[HOST:]PORT",
               f"where gdb connects (default {LOOPBACK}:{DEFAULT_PORT}; port 0: a free one, which is printed)"),
        *(option for option in GUEST_OPTIONS if option.flag not in _NOT_HERE),
    ),
)  # fmt: skip


def main(argv: list[str]) -> int:
    """`hv gdb ARGV...`: the exit code that the epilog of --help lists."""
    options = COMMAND.parse(argv)
    session = COMMAND.open(options)
    if session is None:
        return EXIT_USAGE
    stop = serve(session, options.listen, "gdb", running=False)
    if stop is None:
        return EXIT_USAGE
    report_crash(session)
    return exit_code(session, "gdb", stop)
