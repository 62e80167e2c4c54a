"""`hv run KERNEL`: boot a guest with its console on this terminal, and say afterwards what it did."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_CRASH, EXIT_OK, EXIT_TIMEOUT, EXIT_USAGE

if TYPE_CHECKING:
    from hv.cli.session import Session

_TYPES = ("auto", "pv")
_EPILOG = """\
exit codes:
  0  the guest powered off (or asked for a reboot, or the user left with Ctrl-])
  1  the guest crashed; a report is on stderr
  2  the command line or an input file cannot be used
  7  --max-insns, --timeout or --wall-timeout was reached, or the guest waits for ever

examples:
  hv run guest.elf
  hv run guest.elf --memory 32 --cmdline "mode=fast" --stats --why
  hv run vmlinuz --memory 256 --vcpus 2 --ramdisk initrd.cpio --cmdline "console=hvc0 rdinit=/init"
  hv run guest.elf --max-insns 1000000000 --json run.json --trace traps.jsonl --core guest.core

The guest's console is stdin and stdout; nothing else is written to stdout.
"""


def _positive(text: str) -> int:
    value = int(text, 0)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return value


def parser() -> argparse.ArgumentParser:
    """The options of `hv run`."""
    made = argparse.ArgumentParser(
        prog="hv run",
        description="Boot a Xen guest kernel. The same inputs give the same run, instruction for instruction.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("kernel", metavar="KERNEL", help="an ELF file, a bzImage, or one of these packed")
    guest = made.add_argument_group("the guest")
    guest.add_argument(
        "--type", choices=_TYPES, default="auto", help="type of domain (default: what the kernel says)"
    )
    guest.add_argument("--memory", type=int, default=128, metavar="MIB", help="memory in MiB (default 128)")
    guest.add_argument(
        "--vcpus", type=int, default=1, metavar="N", help="virtual processors, 1 to 64 (default 1)"
    )
    guest.add_argument(
        "--ramdisk", metavar="FILE", help="ramdisk or other module that the kernel finds in memory"
    )
    guest.add_argument("--cmdline", default="", metavar="TEXT", help="command line of the kernel")
    limits = made.add_argument_group("limits")
    limits.add_argument("--max-insns", type=_positive, metavar="N", help="stop after N instructions")
    limits.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="stop at this guest time")
    limits.add_argument(
        "--wall-timeout", type=_seconds, metavar="SECONDS", help="stop after this time on the wall"
    )
    clock = made.add_argument_group("time and order")
    clock.add_argument(
        "--realtime", action="store_true", help="do not skip idle time: wait for it, and for keys"
    )
    clock.add_argument("--quantum", type=_positive, metavar="N", help="instructions of a vcpu's turn")
    clock.add_argument(
        "--seed", type=int, default=0, metavar="N", help="other lengths of turns for each N (default 0)"
    )
    output = made.add_argument_group("output")
    output.add_argument(
        "--stats", action="store_true", help="print traps, hypercalls, instructions and the state hash"
    )
    output.add_argument("--json", metavar="FILE", help="write the same as JSON")
    output.add_argument("--trace", metavar="FILE", help="write one JSON line for each trap")
    output.add_argument(
        "--why", action="store_true", help="say of each refused hypercall which rule refused it"
    )
    output.add_argument(
        "--core", metavar="FILE", help="write an ELF core file when the guest crashes (for gdb)"
    )
    return made


def main(argv: list[str]) -> int:
    """`hv run ARGV...`: the exit code that the epilog of --help lists."""
    options = parser().parse_args(argv)
    try:
        _check(options)
        from hv.cli.session import Session

        session = Session(options)
    except BuilderError as error:
        sys.stderr.write(f"hv run: {error}\n")
        return EXIT_USAGE
    with session:
        stop = session.run()
    return _finish(session, options, stop)


def _check(options: argparse.Namespace) -> None:
    """What argparse cannot say in one line with a remedy. BuilderError."""
    from hv.builder.pv import domain_pages

    domain_pages(options.memory)
    if not 1 <= options.vcpus <= 64:
        raise BuilderError("--vcpus", f"{options.vcpus} is no number of vcpus", "give 1 to 64")
    for name in ("json", "trace", "core"):
        path = getattr(options, name)
        if path is not None:
            _check_writable(f"--{name}", path)


def _check_writable(option: str, path: str) -> None:
    """Open for writing now: a run of a minute must not end with a file that cannot be written."""
    try:
        with open(path, "ab"):
            pass
    except (OSError, ValueError) as error:
        raise BuilderError(option, f"{path} cannot be written: {error}", "give a path that can be") from None


def _finish(session: Session, options: argparse.Namespace, stop: str) -> int:
    """Print and write what was asked for; the exit code."""
    from hv.cli import statistics

    session.close_trace()
    shutdown = statistics.shutdown_name(session.domain)
    if shutdown == "crash":
        sys.stderr.write(session.crash_report())
        if options.core:
            from hv.debug.core import write_core

            write_core(options.core, session.domain, session.crashed_vcpu().id)
            sys.stderr.write(f"hv run: core file in {options.core}\n")
    if options.why:
        sys.stderr.write(session.refusals())
    if options.stats or options.json:
        facts = statistics.collect(session.domain, stop)
        if options.json:
            _write_json(options.json, facts)
        if options.stats:
            sys.stderr.write(statistics.table(facts))
    return _exit_code(shutdown, stop)


def _write_json(path: str, facts: dict[str, Any]) -> None:
    import json

    with open(path, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
        file.write("\n")


_SAYINGS = {
    "max_insns": "stopped after --max-insns",
    "timeout": "stopped at --timeout",
    "wall_timeout": "stopped after --wall-timeout",
    "idle": "the guest waits for ever: every vcpu is blocked, no timer is armed and the input has ended",
}


def _exit_code(shutdown: str | None, stop: str) -> int:
    if shutdown in ("crash", "watchdog"):
        return EXIT_CRASH
    if shutdown is not None:
        if shutdown != "poweroff":
            sys.stderr.write(f"hv run: the guest asked for {shutdown}; it is not started again\n")
        return EXIT_OK
    if stop == "left":
        return EXIT_OK
    sys.stderr.write(f"hv run: {_SAYINGS.get(stop, stop)}\n")
    return EXIT_TIMEOUT
