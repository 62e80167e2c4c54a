"""`hv run KERNEL`: boot a guest with its console on this terminal, and say afterwards what it did."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_USAGE
from hv.cli.options import COVERAGE_OPTIONS, GUEST_OPTIONS, OUTPUT, CommandLine, Option
from hv.cli.outcome import EXIT_CODES, exit_code, report_crash

if TYPE_CHECKING:
    from hv.cli.session import Session

_EPILOG = f"""\
{EXIT_CODES}
examples:
  hv run guest.elf
  hv run guest.elf --memory 32 --cmdline "mode=fast" --stats --why
  hv run vmlinuz --memory 256 --vcpus 2 --ramdisk initrd.cpio --cmdline "console=hvc0 rdinit=/init"
  hv run guest.elf --max-insns 1000000000 --json run.json --trace traps.jsonl --core guest.core

The guest's console is stdin and stdout; nothing else is written to stdout.
"""


def _gdb_address(text: str) -> tuple[str, int]:
    from hv.cli.gdb import option_value

    return option_value(text)


OPTIONS = (
    *GUEST_OPTIONS,
    Option("--stats", OUTPUT, None, False, "", "print traps, hypercalls, instructions and the state hash"),
    Option("--json", OUTPUT, str, None, "FILE", "write the same as JSON", file=True),
    Option("--trace", OUTPUT, str, None, "FILE", "write one JSON line for each trap (hv trace does more)", file=True),
    Option("--why", OUTPUT, None, False, "", "say of refused hypercalls which rule refused them (hv why does more)"),
    Option("--core", OUTPUT, str, None, "FILE", "write an ELF core file when the guest crashes (for gdb)", file=True),
    *COVERAGE_OPTIONS,
    Option("--gdb", OUTPUT, _gdb_address, None, "[HOST:]PORT", "let gdb connect while it runs (hv gdb waits for gdb)"),
)
COMMAND = CommandLine(
    "run",
    "Boot a Xen guest kernel. The same inputs give the same run, instruction for instruction.",
    _EPILOG,
    OPTIONS,
)
parse, parser = COMMAND.parse, COMMAND.parser


def main(argv: list[str]) -> int:
    """`hv run ARGV...`: the exit code that the epilog of --help lists."""
    options = parse(argv)
    session = COMMAND.open(options)
    if session is None:
        return EXIT_USAGE
    if options.gdb:
        return _under_gdb(session, options)
    if options.trace:
        _trace(session, options.trace)
    with session:
        stop = session.run()
    return _finish(session, options, stop)


def _under_gdb(session: Session, options: Any) -> int:
    from hv.cli import gdb

    try:
        gdb.check(options)
    except BuilderError as error:
        sys.stderr.write(f"hv run: {error}\n")
        return EXIT_USAGE
    stop = gdb.serve(session, options.gdb, "run", running=True)
    return EXIT_USAGE if stop is None else _finish(session, options, stop)


def _trace(session: Session, path: str) -> None:
    from hv.debug.filters import TRAPS
    from hv.debug.trace import JsonLines

    file = open(path, "w", encoding="utf-8")  # noqa: SIM115 - the writer closes it
    session.trace([JsonLines(file, TRAPS)], live=True)


def _finish(session: Session, options: Any, stop: str) -> int:
    """Print and write what was asked for; the exit code."""
    from hv.cli import statistics

    if report_crash(session) and options.core:
        from hv.debug.core import write_core

        write_core(options.core, session.domain, session.crashed_vcpu().id)
        sys.stderr.write(f"hv run: core file in {options.core}\n")
    session.write_coverage()
    if options.why:
        sys.stderr.write(session.refusals())
    if options.stats or options.json:
        facts = statistics.collect(session.domain, stop)
        if options.json:
            _write_json(options.json, facts)
        if options.stats:
            sys.stderr.write(statistics.table(facts))
    return exit_code(session, "run", stop)


def _write_json(path: str, facts: dict[str, Any]) -> None:
    import json

    with open(path, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
        file.write("\n")

