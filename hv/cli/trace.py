"""`hv trace KERNEL`: run a guest and write down what goes on between it and the hypervisor."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TextIO

from hv.cli.main import EXIT_USAGE
from hv.cli.options import COVERAGE_OPTIONS, GUEST_OPTIONS, OUTPUT, CommandLine, Option
from hv.cli.outcome import EXIT_CODES, exit_code, report_crash

if TYPE_CHECKING:
    from hv.cli.session import Session
    from hv.debug.filters import Filter
    from hv.debug.trace import Writer

_EPILOG = f"""\
{EXIT_CODES}
expressions of -e (several add up; without any: hypercall, trap, event and power):
  hypercall  hypercall=NAME,...   hypercalls with their arguments decoded, and why they were refused; of one
                                  sub-operation: hypercall=NAME.SUBOP
  trap       trap=#PF,...         exceptions and NMIs
  event                           event channels made pending, and upcalls that deliver them
  pagetable                       entries of page tables that change
  switch                          who goes on the processor
  io                              port accesses
  power                           calls of PSCI (ARM)
  all

examples:
  hv trace guest.elf
  hv trace guest.elf -e hypercall=event_channel_op.send,sched_op -o trace.txt
  hv trace vmlinuz --memory 256 --ramdisk initrd.cpio --cmdline console=hvc0 -c
  hv trace guest.elf --perfetto trace.json        (open it in https://ui.perfetto.dev)
  hv trace guest.elf -e all --json trace.jsonl --coverage guest.info

The guest's console is stdin and stdout. The trace goes to stderr line by line, or with -o to a file at the end.
"""
_WHAT = "what is traced"
COMMAND = CommandLine(
    "trace",
    "Run a Xen guest kernel and trace its hypercalls, traps and events. Tracing does not change the run.",
    _EPILOG,
    (
        Option("--expression", _WHAT, str, None, "EXPR", "what to trace, see below", short="-e", repeat=True),
        Option("--summary", _WHAT, None, False, "", "print sums instead of lines: how often, and how many "
               "instructions the guest executed before, since the record before", short="-c"),
        Option("--output", OUTPUT, str, None, "FILE", "write the text to a file", short="-o", file=True),
        Option("--json", OUTPUT, str, None, "FILE", "write JSON, an object a line", file=True),
        Option("--perfetto", OUTPUT, str, None, "FILE", "write a timeline for Perfetto or chrome://tracing", file=True),
        *COVERAGE_OPTIONS,
        *GUEST_OPTIONS,
    ),
)


def main(argv: list[str]) -> int:
    """`hv trace ARGV...`: the exit code that the epilog of --help lists."""
    from hv.debug.filters import FilterError, parse_filter

    options = COMMAND.parse(argv)
    try:
        wanted = parse_filter(options.expression or ())
    except FilterError as error:
        sys.stderr.write(f"hv trace: {error}\n")
        return EXIT_USAGE
    session = COMMAND.open(options)
    if session is None:
        return EXIT_USAGE
    with ExitStack() as files:
        writers = _writers(options, wanted, files)
        live = not (options.output or options.summary) and _has_text(options)
        session.trace(writers, live=live)
        try:
            with session:
                stop = session.run()
            return _finish(session, stop)
        except BrokenPipeError:
            raise
        except OSError as error:  # a full disk, most likely
            sys.stderr.write(f"hv trace: the trace cannot be written: {error}; make room for it, or filter with -e\n")
            return EXIT_USAGE


def _has_text(options: Any) -> bool:
    """Whether anybody reads lines: with only other kinds of files wanted, nobody."""
    return bool(options.output or options.summary or not (options.json or options.perfetto))


def _writers(options: Any, wanted: Filter, files: ExitStack) -> list[Writer]:
    from hv.debug.perfetto import Perfetto
    from hv.debug.trace import JsonLines
    from hv.debug.trace_text import Summary, Text

    def opened(path: str) -> TextIO:
        return files.enter_context(open(path, "w", encoding="utf-8", errors="backslashreplace"))

    out: list[Writer] = []
    if _has_text(options):
        file = opened(options.output) if options.output else sys.stderr
        out.append(Summary(file, wanted) if options.summary else Text(file, wanted))
    if options.json:
        out.append(JsonLines(opened(options.json), wanted))
    if options.perfetto:
        out.append(Perfetto(opened(options.perfetto)))
    return out


def _finish(session: Session, stop: str) -> int:
    report_crash(session)
    session.write_coverage()
    if session.lost:
        sys.stderr.write(f"hv trace: {session.lost:,} records were lost: single hypercalls made more than fit\n")
    return exit_code(session, "trace", stop)
