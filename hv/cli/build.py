"""`hv build FILE.c`: a C file and the guest library become a kernel that the other commands take."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hv.builder.image import BuilderError, why_not
from hv.cli.main import EXIT_OK, EXIT_USAGE
from hv.cli.parser import Parser

if TYPE_CHECKING:
    import argparse

_EPILOG = """\
FILE.c includes <guest.h> and has a function test_main(void); docs/guest-tests.md says what the guest library offers.
Headers beside FILE.c are found. FILE may also be the name of a guest of xenlab's own: hello, tour ...

environments (--env):
{environments}

exit codes:
  0  built; the path of the kernel is on stdout
  1  the compiler or the linker refuses it; what it says is on stderr
  2  the command line or a file cannot be used

examples:
  hv build mine.c; hv run mine.elf
  hv build mine.c -o /tmp/mine.elf --env pv64low
  hv build tour; hv debug tour.elf
"""
EXIT_REFUSED = 1


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from hv.testing.build import ENVIRONMENTS, USUAL

    known = "\n".join(f"  {env.name:<8} {env.help}" for env in ENVIRONMENTS.values())
    made = Parser(
        prog="hv build",
        description="Compile a guest in C, link it with the guest library, and write an ELF file with debug\n"
        "information. The compiler is that of the ziglang package; nothing else is needed.",
        epilog=_EPILOG.format(environments=known),
    )
    made.add_argument("file", metavar="FILE", help="a C file, or the name of a guest")
    made.add_argument("-o", "--output", metavar="OUT", help="the kernel to write (default: FILE.elf in this directory)")
    made.add_argument("--env", default=USUAL, metavar="NAME", choices=ENVIRONMENTS,
                      help=f"what it is built for (default {USUAL})")  # fmt: skip
    return made


def main(argv: list[str]) -> int:
    """`hv build ARGV...`: the exit code that the epilog of --help lists."""
    from hv.testing.build import BuildError, CompileError, build_guest

    options = parser().parse_args(argv)
    try:
        source = _source(options.file)
        output = Path(options.output or f"{source.stem}.elf")
        _check(source, output)
        _check_environment(source, options.env)
        shutil.copyfile(build_guest(source, options.env), output)
    except CompileError as error:
        sys.stderr.write(f"hv build: {options.file} is refused by the compiler:\n{error.said}\n")
        return EXIT_REFUSED
    except (BuilderError, BuildError) as error:
        sys.stderr.write(f"hv build: {error}\n")
        return EXIT_USAGE
    except OSError as error:  # copyfile: of a name that _check() has passed, so the disk is full
        sys.stderr.write(f"hv build: {output} cannot be written: {why_not(error)}; make room, or give another -o\n")
        return EXIT_USAGE
    print(output)
    return EXIT_OK


def _source(name: str) -> Path:
    """The C file. BuilderError: it cannot be one. BuildError: there is no guest of this name."""
    from hv.testing.build import find_guest

    if not name.endswith(".c"):
        if os.path.exists(name):
            raise BuilderError(name, "it does not end in .c", "give a C file")
        return find_guest(name)
    try:
        with open(name, "rb"):
            pass
    except (OSError, ValueError) as error:
        raise BuilderError(repr(name)[1:-1], f"cannot be read: {why_not(error)}", "give a C file") from None
    return Path(name)


def _check_environment(source: Path, env: str) -> None:
    """BuilderError: its header comment, if it has one, names others."""
    from hv.testing.metadata import MetadataError, read_metadata

    try:
        named = read_metadata(source).environments
    except MetadataError:
        return  # not a guest test
    if env not in named:
        raise BuilderError(str(source), f"it is for {', '.join(named)}, not for {env}", f"give --env {named[0]}")


def _check(source: Path, output: Path) -> None:
    """Before the time is spent. BuilderError: the kernel cannot be written there."""
    from hv.cli.options import check_writable

    if output.exists() and output.samefile(source):
        raise BuilderError("-o", f"{output} is the C file itself", "give another path")
    check_writable("-o", str(output))
