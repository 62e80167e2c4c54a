"""`hv why KERNEL`: run a guest and explain each hypercall that failed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hv.cli.main import EXIT_USAGE
from hv.cli.options import GUEST_OPTIONS, OUTPUT, CommandLine, Option
from hv.cli.outcome import EXIT_CODES, exit_code, report_crash

if TYPE_CHECKING:
    from hv.cli.session import Session

_EPILOG = f"""\
{EXIT_CODES}
examples:
  hv why guest.elf
  hv why guest.elf -o why.txt --json why.json
  hv why vmlinuz --memory 256 --cmdline "console=hvc0 rdinit=/init" --ramdisk initrd.cpio

The guest's console is stdin and stdout; the report follows on stderr, or with -o in a file. A refusal that comes
again from the same place, by the same rule, is counted.
"""
COMMAND = CommandLine(
    "why",
    "Run a Xen guest kernel, then say of each refused hypercall: which rule, which value,\n"
    "what would have been accepted, and where in the guest it was made.",
    _EPILOG,
    (
        Option("--output", OUTPUT, str, None, "FILE", "write the report to a file", short="-o", file=True),
        Option("--json", OUTPUT, str, None, "FILE", "write it as JSON", file=True),
        *GUEST_OPTIONS,
    ),
)


def main(argv: list[str]) -> int:
    """`hv why ARGV...`: the exit code that the epilog of --help lists."""
    options = COMMAND.parse(argv)
    session = COMMAND.open(options)
    if session is None:
        return EXIT_USAGE
    session.hv.refusals.keep_evidence()
    with session:
        stop = session.run()
    report_crash(session)
    _report(session, options)
    return exit_code(session, "why", stop)


def _report(session: Session, options: Any) -> None:
    from hv.debug.symbols import Symbols
    from hv.debug.why import as_data, as_text, failures

    symbols = Symbols(session.image)
    found = failures(session.hv, symbols)
    text = as_text(found)
    sys.stderr.writelines(f"hv why: {warning}\n" for warning in symbols.warnings)
    if options.output:
        with open(options.output, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    else:
        sys.stderr.write(text)
    if options.json:
        import json

        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(as_data(found), file, indent=2)
            file.write("\n")
