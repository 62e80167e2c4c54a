"""`hv run KERNEL`: boot a guest with its console on this terminal, and say afterwards what it did."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_CRASH, EXIT_OK, EXIT_TIMEOUT, EXIT_USAGE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from hv.cli.session import Session

_TYPES = ("auto", "pv")
_SCHEDULERS = ("round_robin", "credit")
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


def _bad(text: str) -> Exception:
    """What argparse turns into a usage error."""
    import argparse

    return argparse.ArgumentTypeError(text)


def _positive(text: str) -> int:
    value = int(text, 0)
    if value <= 0:
        raise _bad(f"{text} is not a positive number")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise _bad(f"{text} is not a positive number of seconds")
    return value


class Option(NamedTuple):
    """One option: its group in --help, how its value is read (None: a switch), default, the value's name, help."""

    flag: str
    group: str
    value: Callable[[str], Any] | None
    default: Any
    metavar: str
    help: str
    choices: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Its name in the parsed result."""
        return self.flag[2:].replace("-", "_")


def _address(text: str) -> tuple[str, int]:
    from hv.cli.gdb import address

    try:
        return address(text)
    except ValueError:
        raise _bad(f"{text} is not [HOST:]PORT") from None


_GUEST, _LIMITS, _CLOCK, _OUTPUT = "the guest", "limits", "time and order", "output"
OPTIONS = (
    Option("--type", _GUEST, str, "auto", "TYPE", "type of domain: auto (what the kernel says) or pv", _TYPES),
    Option("--memory", _GUEST, int, 128, "MIB", "memory in MiB (default 128)"),
    Option("--vcpus", _GUEST, int, 1, "N", "virtual processors, 1 to 64 (default 1)"),
    Option("--ramdisk", _GUEST, str, None, "FILE", "ramdisk or other module that the kernel finds in memory"),
    Option("--cmdline", _GUEST, str, "", "TEXT", "command line of the kernel"),
    Option("--max-insns", _LIMITS, _positive, None, "N", "stop after N instructions"),
    Option("--timeout", _LIMITS, _seconds, None, "SECONDS", "stop at this guest time"),
    Option("--wall-timeout", _LIMITS, _seconds, None, "SECONDS", "stop after this time on the wall"),
    Option("--realtime", _CLOCK, None, False, "", "do not skip idle time: wait for it, and for keys"),
    Option("--scheduler", _CLOCK, str, "round_robin", "NAME", "who runs next: round_robin or credit", _SCHEDULERS),
    Option("--quantum", _CLOCK, _positive, None, "N", "instructions of a vcpu's turn"),
    Option("--seed", _CLOCK, int, 0, "N", "other lengths of turns for each N (default 0)"),
    Option("--stats", _OUTPUT, None, False, "", "print traps, hypercalls, instructions and the state hash"),
    Option("--json", _OUTPUT, str, None, "FILE", "write the same as JSON"),
    Option("--trace", _OUTPUT, str, None, "FILE", "write one JSON line for each trap"),
    Option("--why", _OUTPUT, None, False, "", "say of refused hypercalls which rule refused them"),
    Option("--core", _OUTPUT, str, None, "FILE", "write an ELF core file when the guest crashes (for gdb)"),
    Option("--gdb", _OUTPUT, _address, None, "[HOST:]PORT", "let gdb connect while it runs (hv gdb waits for gdb)"),
)


def parse(argv: list[str]) -> Any:
    """The options by name. argparse is asked only when something is out of the ordinary: importing it and making its
    parser takes a sixth of a tiny guest's whole run. It then prints help, or what is wrong, and leaves with 0 or 2.
    """
    return _parse_plain(argv) or parser().parse_args(argv)


def _parse_plain(argv: list[str]) -> SimpleNamespace | None:
    """Options written out in full, each value an argument of its own, and one kernel; None: let argparse look."""
    known = {option.flag: option for option in OPTIONS}
    found: dict[str, Any] = {option.name: option.default for option in OPTIONS}
    arguments = iter(argv)
    for argument in arguments:
        option = known.get(argument)
        if option is None:
            if argument.startswith("-") or "kernel" in found:
                return None
            found["kernel"] = argument
        elif option.value is None:
            found[option.name] = True
        else:
            text = next(arguments, "-")
            if text.startswith("-") or (option.choices and text not in option.choices):
                return None
            try:
                found[option.name] = option.value(text)
            except Exception:  # argparse says what is wrong with it
                return None
    return SimpleNamespace(**found) if "kernel" in found else None


def parser() -> argparse.ArgumentParser:
    """The same options for argparse."""
    import argparse

    made = argparse.ArgumentParser(
        prog="hv run",
        description="Boot a Xen guest kernel. The same inputs give the same run, instruction for instruction.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("kernel", metavar="KERNEL", help="an ELF file, a bzImage, or one of these packed")
    add_options(made, OPTIONS)
    return made


def add_options(made: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Give these options to a parser, in their groups."""
    groups: dict[str, Any] = {}
    for option in options:
        group = groups.get(option.group) or groups.setdefault(option.group, made.add_argument_group(option.group))
        if option.value is None:
            group.add_argument(option.flag, action="store_true", help=option.help)
        else:
            group.add_argument(
                option.flag, type=option.value, default=option.default, metavar=option.metavar,
                choices=option.choices, help=option.help,
            )  # fmt: skip


def main(argv: list[str]) -> int:
    """`hv run ARGV...`: the exit code that the epilog of --help lists."""
    options = parse(argv)
    return boot(options, "run", options.gdb, running=True)


def boot(options: Any, command: str, gdb: tuple[str, int] | None, *, running: bool) -> int:
    """Run a guest to its end, under a GDB server at `gdb` if that is not None; the exit code. `running`: it does not
    wait for gdb."""
    try:
        _check(options)
        if gdb is not None:
            from hv.cli.gdb import check

            check(options)
        from hv.cli.session import Session

        session = Session(options)
        with session:
            stop = session.run() if gdb is None else _serve(session, gdb, command, running)
    except BuilderError as error:
        sys.stderr.write(f"hv {command}: {error}\n")
        return EXIT_USAGE
    return _finish(session, options, stop)


def _serve(session: Session, gdb: tuple[str, int], command: str, running: bool) -> str:
    from hv.cli.gdb import serve

    return serve(session, gdb, command, running=running)


def _check(options: Any) -> None:
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


def _finish(session: Session, options: Any, stop: str) -> int:
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
