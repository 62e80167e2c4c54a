"""`hv replay FILE`: repeat a run that `hv run --record` recorded, say whether it is the same, or go on from there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_CRASH, EXIT_OK, EXIT_USAGE
from hv.cli.options import GOING_ON, add_options, check_files, whole
from hv.cli.run import STATISTICS, finish

if TYPE_CHECKING:
    import argparse

    from hv.debug.replay import Replay

_EPILOG = """\
exit codes:
  0  the run ended in the state that was recorded (with --to: nothing differed up to there)
  1  it differed; stderr says at which instruction
  2  the command line, the recording or a file that it names cannot be used
  with --live, once the recording has been repeated: those of hv run

examples:
  hv run guest.elf --record run.rec; hv replay run.rec
  hv replay run.rec --to 1000000 --stats
  hv replay run.rec --to 1000000 --live --max-insns 2000000

The guest's console is stdout; with --live, what you type enters when the recording has been repeated.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from hv.cli.parser import Parser

    made = Parser(
        prog="hv replay", description="Repeat a recorded run, instruction for instruction, with what entered it.",
        epilog=_EPILOG,
    )  # fmt: skip
    made.add_argument("file", metavar="FILE", help="a recording: hv run --record FILE")
    made.add_argument("--to", type=whole, metavar="COUNT", help="only so many instructions")
    made.add_argument("--live", action="store_true", help="then hand over to the terminal, and go on")
    add_options(made, (*GOING_ON, *STATISTICS))
    return made


def main(argv: list[str]) -> int:
    """`hv replay ARGV...`: the exit code that the epilog of --help lists."""
    options = parser().parse_args(argv)
    from hv.cli.session import Session
    from hv.debug.recording import RecordingError, read
    from hv.debug.replay import Difference, Replay

    try:
        check_files(STATISTICS, options)
        if options.to is not None and options.to < 0:
            raise BuilderError("--to", f"{options.to} is no count of instructions", "give 0 or more")
        replay = Replay(read(options.file))
    except (BuilderError, RecordingError) as error:
        sys.stderr.write(f"hv replay: {error}\n")
        return EXIT_USAGE
    session = Session(options, replay.guest.hv, replay.guest.image)
    try:
        replay.run(options.to)
    except Difference as error:
        sys.stderr.write(f"hv replay: {error}\n")
        return EXIT_CRASH
    if not options.live:
        return _say(replay, session, options)
    replay.guest.hv.inputs.pending.clear()
    with session:
        stop = session.run()
    return finish(session, options, stop, "replay")


def _say(replay: Replay, session: Any, options: argparse.Namespace) -> int:
    """The end of a replay that does not go on."""
    end = replay.recording.end
    finish(session, options, replay.recording.stop if options.to is None else "max_insns", "replay", quiet=True)
    if options.to is not None:
        sys.stderr.write(f"hv replay: at instruction {session.hv.instructions:,}; nothing differed\n")
    elif end is None:
        sys.stderr.write("hv replay: the recording was cut off; nothing differed up to its last input\n")
    else:
        sys.stderr.write(f"hv replay: the same after {end.retired:,} instructions: state hash {end.state_hash}\n")
    return EXIT_OK
