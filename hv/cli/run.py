"""`hv run KERNEL`: boot a guest with its console on this terminal, and say afterwards what it did."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_OK, EXIT_USAGE
from hv.cli.options import ATTACHED_OPTIONS, COVERAGE_OPTIONS, GUEST_OPTIONS, OUTPUT, CommandLine, Option, address
from hv.cli.outcome import EXIT_CODES, exit_code, report_crash

if TYPE_CHECKING:
    from hv.cli.session import Session

_EPILOG = f"""\
{EXIT_CODES}
examples:
  hv run guest.elf
  hv run guest.elf --memory 32 --cmdline "mode=fast" --stats --why
  hv run vmlinuz --memory 256 --vcpus 2 --ramdisk initrd.cpio --cmdline "console=hvc0 rdinit=/init"
  hv run vmlinuz --memory 256 --ramdisk initrd.cpio --disk root.img --nic user --cmdline "console=hvc0 root=/dev/xvda"
  hv run guest.elf --max-insns 1000000000 --json run.json --trace traps.jsonl --core guest.core
  hv run guest.elf --record run.rec; hv replay run.rec
  hv run guest.elf --on-crash snapshot; hv snapshot load guest.elf.snapshot
  hv run --type hvm --disk disk.img --cdrom install.iso --boot dc --nic user --vnc 5900 --realtime

The guest's console is stdin and stdout; nothing else is written to stdout.
"""
STATISTICS = (
    Option("--stats", OUTPUT, None, False, "", "print traps, hypercalls, instructions and the state hash"),
    Option("--json", OUTPUT, str, None, "FILE", "write the same as JSON", file=True),
    Option("--why", OUTPUT, None, False, "", "say of refused hypercalls which rule refused them (hv why does more)"),
    Option("--core", OUTPUT, str, None, "FILE", "write an ELF core file when the guest crashes (for gdb)", file=True),
)
"""What finish() looks at."""
OPTIONS = (
    *GUEST_OPTIONS,
    *ATTACHED_OPTIONS,
    *STATISTICS,
    Option("--trace", OUTPUT, str, None, "FILE", "write one JSON line for each trap (hv trace does more)", file=True),
    *COVERAGE_OPTIONS,
    Option("--gdb", OUTPUT, address, None, "[HOST:]PORT", "let gdb connect while it runs (hv gdb waits for gdb)"),
    Option("--record", OUTPUT, str, None, "FILE", "record what entered, for hv replay", file=True),
    Option("--on-crash", OUTPUT, str, "report", "WHAT",
           "when the guest crashes: report, snapshot (a file of moments up to the crash as well), or restart",
           ("report", "snapshot", "restart")),
    Option("--snapshot", OUTPUT, str, None, "FILE", "where to (default KERNEL.snapshot in this directory)", file=True),
)  # fmt: skip
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
    if options.snapshot and options.on_crash != "snapshot":
        sys.stderr.write("hv run: --snapshot: it says where --on-crash snapshot writes to; give that as well\n")
        return EXIT_USAGE
    session = COMMAND.open(options)
    if session is None:
        return EXIT_USAGE
    try:
        _keep(session, options)
    except BuilderError as error:
        sys.stderr.write(f"hv run: {error}\n")
        return EXIT_USAGE
    if options.gdb:
        return _under_gdb(session, options)
    if options.trace:
        _trace(session, options.trace)
    with session:
        stop = session.run()
    return finish(session, options, stop)


def _keep(session: Session, options: Any) -> None:
    """Keep what the options ask for. BuilderError."""
    if options.record or options.on_crash == "snapshot":
        from hv.cli.keeping import keep

        keep(session)


def _under_gdb(session: Session, options: Any) -> int:
    from hv.cli import gdb

    try:
        gdb.check(options)
    except BuilderError as error:
        sys.stderr.write(f"hv run: {error}\n")
        return EXIT_USAGE
    stop = gdb.serve(session, options.gdb, "run", running=True)
    return EXIT_USAGE if stop is None else finish(session, options, stop)


def _trace(session: Session, path: str) -> None:
    from hv.debug.filters import TRAPS
    from hv.debug.trace import JsonLines

    file = open(path, "w", encoding="utf-8")  # noqa: SIM115 - the writer closes it
    session.trace([JsonLines(file, TRAPS)], live=True)


def finish(session: Session, options: Any, stop: str, command: str = "run", *, quiet: bool = False) -> int:
    """Print and write what was asked for; the exit code. `quiet`: no word on how the run ended."""
    from hv.cli import statistics

    crashed = report_crash(session)
    if options.core and not crashed:
        sys.stderr.write(f"hv {command}: no core file in {options.core}: the guest did not crash\n")
    elif options.core:
        from hv.arch.core import write_core

        write_core(options.core, session.domain, session.crashed_vcpu().id)
        sys.stderr.write(f"hv {command}: core file in {options.core}\n")
    session.close_keepers(command, stop)
    session.write_coverage()
    if options.why:
        sys.stderr.write(session.refusals())
    if options.stats or options.json:
        facts = statistics.collect(session.domain, stop)
        if options.json:
            _write_json(options.json, facts)
        if options.stats:
            sys.stderr.write(statistics.table(facts))
    return EXIT_OK if quiet else exit_code(session, command, stop)


def _write_json(path: str, facts: dict[str, Any]) -> None:
    import json

    with open(path, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
        file.write("\n")
