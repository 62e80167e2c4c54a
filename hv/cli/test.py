"""`hv test FILE...`: run test guests, print what each found, and sum up."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_USAGE
from hv.cli.options import check_writable, machine_choices, whole
from hv.cli.parser import Parser

if TYPE_CHECKING:
    from hv.testing.runner import Options, Outcome

_EPILOG = """\
FILE is a guest's C file (built first, with its header comment obeyed), a kernel, or the name of a guest of guests/.

exit codes (the worst of all guests wins):
  0  SUCCESS
  2  the command line makes no sense
  3  SKIP: a guest had nothing to test here
  4  ERROR: a test is broken
  5  FAILURE: the hypervisor is wrong, or two runs differ (--repeat)
  6  CRASH: a guest ended without a verdict

examples:
  hv test guests/tests/*.c -j 4
  hv test hello timer --repeat 3 --junit results.xml
"""


def _count(text: str) -> int:
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
    return value


def parser() -> argparse.ArgumentParser:
    """The options of `hv test`."""
    made = Parser(
        prog="hv test",
        description="Run guests that print a verdict (Test result: SUCCESS, SKIP, ERROR or FAILURE).",
        epilog=_EPILOG,
    )
    made.add_argument("files", nargs="+", metavar="FILE", help="a C file, a kernel, or a guest's name")
    made.add_argument("-j", "--jobs", type=_count, default=1, metavar="N", help="guests at a time (default 1)")
    made.add_argument(
        "--repeat", type=_count, default=1, metavar="N", help="run each N times and compare counts and state hashes"
    )
    made.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    made.add_argument("--memory", type=_count, metavar="MIB", help="memory instead of what the guest asks for")
    made.add_argument("--vcpus", type=_count, metavar="N", help="vcpus instead of what the guest asks for")
    made.add_argument("--cmdline", metavar="TEXT", help="command line instead of the guest's own")
    made.add_argument("--max-insns", type=_count, metavar="N", help="a guest has hung after N instructions")
    made.add_argument("--env", default="", metavar="NAME", help="environment to build for (default: its first one)")
    made.add_argument(
        "--machine", type=machine_choices, default=(), metavar="NAME=VALUE[,NAME=VALUE]",
        help="choices of an architecture's machine (ARM: gic_version=v3)",
    )  # fmt: skip
    made.add_argument("--seed", type=whole, default=0, metavar="N", help="other lengths of turns for each N")
    made.add_argument("-v", "--verbose", action="store_true", help="print each guest's console")
    return made


def _options(arguments: argparse.Namespace) -> Options:
    from hv.testing.runner import Options

    return Options(
        memory=arguments.memory,
        vcpus=arguments.vcpus,
        cmdline=arguments.cmdline,
        max_insns=arguments.max_insns,
        seed=arguments.seed,
        env=arguments.env,
        machine=arguments.machine,
    )


def run_repeated(guest: str, options: Options, repeat: int) -> Outcome:
    """One guest, `repeat` times. Differences between the runs make it a FAILURE."""
    from hv.testing.runner import Verdict, run_test

    start = time.monotonic()
    first = run_test(guest, options)
    notes = list(first.notes)
    for _ in range(repeat - 1):
        notes += first.differences(run_test(guest, options))
    verdict = max(first.verdict, Verdict.FAILURE) if len(notes) > len(first.notes) else first.verdict
    return replace(first, verdict=verdict, notes=tuple(notes), seconds=time.monotonic() - start)


def _run_all(arguments: argparse.Namespace) -> Iterator[Outcome]:
    options = _options(arguments)
    if arguments.jobs == 1 or len(arguments.files) == 1:
        for guest in arguments.files:
            yield run_repeated(guest, options, arguments.repeat)
        return
    # Workers are forked: nothing is loaded yet that a child could not use.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(arguments.jobs, len(arguments.files)), mp_context=context) as pool:
        yield from pool.map(
            run_repeated,
            arguments.files,
            [options] * len(arguments.files),
            [arguments.repeat] * len(arguments.files),
        )


def _report(outcome: Outcome, number: int, total: int, verbose: bool) -> None:
    width = len(str(total))
    print(f"[{number:{width}}/{total}] {outcome.verdict.name:<7} {outcome.name} ({outcome.seconds:.2f} s)")
    for note in outcome.notes:
        print(f"    {note.rstrip()}")
    if verbose or outcome.verdict.value > 3:
        for line in outcome.console.splitlines():
            print(f"    | {line}")
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    """`hv test ARGV...`: the exit code that the epilog of --help lists."""
    arguments = parser().parse_args(argv)
    try:
        if arguments.junit:
            check_writable("--junit", arguments.junit)
    except BuilderError as error:
        sys.stderr.write(f"hv test: {error}\n")
        return EXIT_USAGE
    outcomes = []
    for outcome in _run_all(arguments):
        outcomes.append(outcome)
        _report(outcome, len(outcomes), len(arguments.files), arguments.verbose)
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.verdict.name] = counts.get(outcome.verdict.name, 0) + 1
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    if arguments.junit:
        from hv.testing.junit import write_junit

        write_junit(arguments.junit, outcomes)
    return int(max(outcome.verdict for outcome in outcomes))
