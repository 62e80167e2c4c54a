"""`hv gdb KERNEL`: a guest that waits for gdb before its first instruction; and `hv run --gdb`, which does not wait."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError

if TYPE_CHECKING:
    import argparse

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
_LOOPBACK = "127.0.0.1"
_REFUSED = ("max_insns", "timeout", "wall_timeout", "trace")
"""Options of hv run that say when a run ends, or what is written while it goes on: under gdb it goes back and forth."""


def address(text: str) -> tuple[str, int]:
    """[HOST:]PORT. ValueError."""
    host, _, port = text.rpartition(":")
    number = int(port)
    if not 0 <= number < 1 << 16:
        raise ValueError(f"{port} is no port")
    return host.strip("[]") or _LOOPBACK, number


def check(options: Any) -> None:
    """What does not go together with gdb. BuilderError."""
    for name in _REFUSED:
        if getattr(options, name, None) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise BuilderError(flag, "does not go together with a debugger", f"leave out {flag}")


def serve(session: Session, where: tuple[str, int], command: str, *, running: bool) -> str:
    """Serve gdb until the end. Why it ended, as Session.run() says it. BuilderError: the address cannot be had."""
    from hv.debug.debugger import Debugger
    from hv.debug.gdb.server import KILLED, LEFT, GdbServer, listen

    try:
        listener = listen(*where)
    except (OSError, UnicodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise BuilderError(
            "gdb server", f"{where[0]}:{where[1]} cannot be listened on: {reason}", "give another [HOST:]PORT, or 0"
        ) from None
    with listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        state = "running; gdb stops it" if running else "waiting for gdb"
        sys.stderr.write(f"hv {command}: {state}: target remote {shown}\n")
        sys.stderr.flush()
        server = GdbServer(Debugger(session.hv), listener, session, running=running)
        if session.options.realtime:
            session.hv.idle = server.idle
        why = server.serve()
    return LEFT if why == KILLED else why


def _address(text: str) -> tuple[str, int]:
    import argparse

    try:
        return address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not [HOST:]PORT") from None


def parser() -> argparse.ArgumentParser:
    """The options of hv gdb."""
    import argparse

    from hv.cli.run import OPTIONS, add_options

    made = argparse.ArgumentParser(
        prog="hv gdb",
        description="Boot a Xen guest kernel under gdb: it waits for gdb before its first instruction.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("kernel", metavar="KERNEL", help="an ELF file, a bzImage, or one of these packed")
    made.add_argument(
        "--listen", type=_address, default=(_LOOPBACK, DEFAULT_PORT), metavar="[HOST:]PORT",
        help=f"where gdb connects (default {_LOOPBACK}:{DEFAULT_PORT}; port 0: a free one, which is printed)",
    )  # fmt: skip
    left_out = {"gdb", *_REFUSED}
    made.set_defaults(**{option.name: option.default for option in OPTIONS})
    add_options(made, [option for option in OPTIONS if option.name not in left_out])
    return made


def main(argv: list[str]) -> int:
    """`hv gdb ARGV...`: the exit code that the epilog of --help lists."""
    from hv.cli import run

    options = parser().parse_args(argv)
    return run.boot(options, "gdb", options.listen, running=False)
