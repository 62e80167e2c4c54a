"""`hv snapshot save|load|info FILE`: a guest's state in a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError
from hv.cli.main import EXIT_OK, EXIT_USAGE
from hv.cli.options import GOING_ON, GUEST_OPTIONS, add_options, check_files, check_guest, whole
from hv.cli.outcome import EXIT_CODES
from hv.cli.run import STATISTICS, finish

if TYPE_CHECKING:
    import argparse

_EPILOG = f"""\
{EXIT_CODES}
examples:
  hv snapshot save boot.snapshot vmlinuz --ramdisk initrd.cpio --cmdline "console=hvc0" --at 500000000
  hv snapshot load boot.snapshot --max-insns 600000000 --stats
  hv snapshot info boot.snapshot
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from hv.cli.parser import Parser

    made = Parser(prog="hv snapshot", description="A guest's whole state in a file.", epilog=_EPILOG)
    commands = made.add_subparsers(dest="command", required=True, metavar="save|load|info")
    save = commands.add_parser("save", help="run a guest and save its state", epilog=_EPILOG)
    save.add_argument("file", metavar="FILE", help="the file to write")
    text = "an ELF file, a bzImage, or one of these packed; none is needed with --type hvm"
    save.add_argument("kernel", metavar="KERNEL", nargs="?", help=text)
    save.add_argument("--at", type=whole, required=True, metavar="COUNT", help="after how many instructions")
    add_options(save, [option for option in GUEST_OPTIONS if option.name != "max_insns"])
    load = commands.add_parser("load", help="go on from a file, its console on this terminal", epilog=_EPILOG)
    load.add_argument("file", metavar="FILE", help="a snapshot file")
    add_options(load, (*GOING_ON, *STATISTICS))
    info = commands.add_parser("info", help="say what is in a file", epilog=_EPILOG)
    info.add_argument("file", metavar="FILE", help="a snapshot file")
    info.add_argument("--json", action="store_true", help="as JSON")
    return made


def main(argv: list[str]) -> int:
    """`hv snapshot ARGV...`: the exit code that the epilog of --help lists."""
    options = parser().parse_args(argv)
    from hv.debug.container import FileFormatError

    try:
        return {"save": _save, "load": _load, "info": _info}[options.command](options)
    except (BuilderError, FileFormatError) as error:
        sys.stderr.write(f"hv snapshot: {error}\n")
    except OSError as error:
        problem = f"cannot be written: {error.strerror}; remedy: give another path"
        sys.stderr.write(f"hv snapshot: {options.file} {problem}\n")
    return EXIT_USAGE


def _save(options: argparse.Namespace) -> int:
    from hv.cli.session import Session
    from hv.debug.crash_file import about_guest, with_crash
    from hv.debug.snapshot_file import save

    check_guest(options)
    if options.kernel is None and options.type != "hvm":
        raise BuilderError("KERNEL", "there is none", "name one, or say --type hvm")
    if options.at < 0:
        raise BuilderError("--at", f"{options.at} is no count of instructions", "give 0 or more")
    options.max_insns = options.at
    session = Session(options)
    if session.domain.origin is not None:
        raise BuilderError("hv snapshot", "a file has no place for a guest that begins anew", "leave out restart")
    with session:
        stop = session.run()
    hv = session.hv
    about = with_crash(about_guest(options.kernel, options.firmware, cmdline=options.cmdline), session.crash)
    save(options.file, hv, [hv.snapshot()], about)
    if hv.instructions < options.at:
        sys.stderr.write(f"hv snapshot: the guest came to instruction {hv.instructions:,} only ({stop}); saved there\n")
    return EXIT_OK


def _load(options: argparse.Namespace) -> int:
    from hv.cli.session import Session
    from hv.debug.crash import from_about
    from hv.debug.crash_file import kernel_image
    from hv.debug.snapshot_file import load

    check_files(STATISTICS, options)
    loaded = load(options.file)
    if not loaded.hv.domains:
        raise BuilderError(options.file, "there is no domain in it", "give a file that has one")
    session = Session(options, loaded.hv, kernel_image(loaded.about))
    session.saved_crash = from_about(loaded.about)
    with session:
        stop = session.run()
    return finish(session, options, stop, "snapshot")


def _info(options: argparse.Namespace) -> int:
    from hv.debug.crash import from_about
    from hv.debug.snapshot_file import info

    facts = info(options.file)
    if options.json:
        import json

        print(json.dumps(facts, indent=2))
        return EXIT_OK
    print(f"snapshot file, format {facts['format']}, {facts['bytes']:,} bytes")
    print(f"machine: {facts['memory_mib']} MiB, scheduler {facts['scheduler']}, quantum {facts['quantum']:,}")
    crash = from_about(facts["about"])
    for name, value in facts["about"].items():
        if name != "crash" or crash is None:
            print(f"{_plain(name)}: {_plain(value)}")
    if crash is not None:
        print(f"crash: at instruction {crash.when:,}: {crash}")
    for moment, pages in zip(facts["moments"], facts["pages"], strict=True):
        domains = ", ".join(f"d{domid} {_plain(name)} ({vcpus} vcpus)" for domid, name, vcpus in moment["domains"])
        print(
            f"at {moment['instructions']:>14,} instructions, {moment['idle_ns'] / 1e9:.6f} s idle: {pages:,} pages, "
            f"{moment['inputs']} inputs; {domains}"
        )
    return EXIT_OK


def _plain(value: Any) -> str:
    """A value from a file, for a terminal."""
    said = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(c if c.isprintable() else "?" for c in said[:500])
