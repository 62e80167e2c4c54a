"""`hv`:

find the subcommand and hand over. Nothing else is imported: start-up is a large part of a tiny guest's run.
"""

from __future__ import annotations

import sys

EXIT_OK = 0
EXIT_CRASH = 1
EXIT_USAGE = 2
EXIT_TIMEOUT = 7
EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141
"""As a process that SIGPIPE ends: whoever read stdout or stderr has left."""

# subcommand: (module, what it does)
COMMANDS = {
    "run": ("hv.cli.run", "boot a guest kernel with its console on this terminal"),
    "trace": ("hv.cli.trace", "run a guest and trace hypercalls, traps and events"),
    "why": ("hv.cli.why", "run a guest and explain each hypercall that failed"),
    "debug": ("hv.cli.debug", "step through a guest, forwards and backwards in time"),
    "gdb": ("hv.cli.gdb", "boot a guest kernel that waits for gdb"),
    "replay": ("hv.cli.replay", "repeat a recorded run, and say whether it is the same"),
    "snapshot": ("hv.cli.snapshot", "save a guest's state to a file, go on from one, or look into one"),
    "screenshot": ("hv.cli.screenshot", "run a guest and write its screen, as a picture or as text"),
    "build": ("hv.cli.build", "make a kernel of a C file and the guest library"),
    "info": ("hv.cli.info", "print what the loader sees in a kernel file"),
    "test": ("hv.cli.test", "run test guests that print a verdict"),
}

_HELP = """\
usage: hv COMMAND ...

A Xen-compatible hypervisor in user space, on an emulated CPU.

commands:
{commands}
  hv COMMAND --help says more of each; hv --version prints the version

exit codes: hv COMMAND --help lists them; beside those, 130 after Ctrl-C, and 141 when whoever read the output has left.

examples:
  hv build mine.c; hv run mine.elf
  hv run guest.elf --memory 32 --stats
  hv run vmlinuz --ramdisk initrd.cpio --cmdline "console=hvc0"
  hv trace guest.elf -e hypercall
  hv why guest.elf
  hv debug guest.elf
  hv info vmlinuz
"""


def help_text() -> str:
    """What `hv --help` prints."""
    lines = (f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items())
    return _HELP.format(commands="\n".join(lines))


def version() -> str:
    """The installed version of xenlab."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("xenlab")
    except PackageNotFoundError:
        return "(not installed)"


def main(argv: list[str] | None = None) -> int:
    """Run `hv ARGV...`; returns the exit code. 2 for a command line that makes no sense."""
    arguments = sys.argv[1:] if argv is None else argv
    command = arguments[0] if arguments else ""
    if command in ("-h", "--help", "help"):
        sys.stdout.write(help_text())
        return EXIT_OK
    if command == "--version":
        sys.stdout.write(f"xenlab {version()}\n")
        return EXIT_OK
    if command not in COMMANDS:
        said = f"there is no command {command!r}" if command else "a command is missing"
        sys.stderr.write(f"hv: {said}; give one of {', '.join(COMMANDS)}, or --help\n")
        return EXIT_USAGE
    from importlib import import_module

    module = import_module(COMMANDS[command][0])
    try:
        code = module.main(arguments[1:])
        sys.stdout.flush()
        sys.stderr.flush()
        return int(code)
    except BrokenPipeError:
        _nobody_reads()
        return EXIT_NO_READER
    except KeyboardInterrupt:
        sys.stderr.write("\nhv: interrupted\n")
        return EXIT_INTERRUPTED


def _nobody_reads() -> None:
    """Whoever read our output has left: what is still buffered must not raise again at exit."""
    import os

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
