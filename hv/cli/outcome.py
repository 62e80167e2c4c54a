"""How a run ended, as an exit code and in words: the same for each command that runs a guest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hv.cli.main import EXIT_CRASH, EXIT_INTERRUPTED, EXIT_OK, EXIT_TIMEOUT

if TYPE_CHECKING:
    from hv.cli.session import Session

EXIT_CODES = """\
exit codes:
  0  the guest powered off (or asked for a reboot, or the user left with Ctrl-])
  1  the guest crashed; a report is on stderr
  2  the command line or an input file cannot be used
  7  --max-insns, --timeout or --wall-timeout was reached, or the guest waits for ever
  141  nobody reads stdout or stderr any more (as in hv run guest.elf | head -1)
"""
"""For the epilog of --help."""

_SAYINGS = {
    "max_insns": "stopped after --max-insns",
    "timeout": "stopped at --timeout",
    "wall_timeout": "stopped after --wall-timeout",
    "idle": "the guest waits for ever: every vcpu is blocked, no timer is armed and the input has ended",
}


def report_crash(session: Session) -> bool:
    """Print the report of a crashed guest; False when it did not crash."""
    if session.domain.shutdown_name != "crash":
        return False
    sys.stderr.write(session.crash_report())
    return True


def exit_code(session: Session, command: str, stop: str) -> int:
    """The exit code; says on stderr what is worth a word. `stop` is what Session.run() returned."""
    shutdown = session.domain.shutdown_name
    if shutdown in ("crash", "watchdog"):
        return EXIT_CRASH
    if shutdown is not None:
        if shutdown != "poweroff":
            hint = " (--on-reboot restart does that)" if shutdown == "reboot" else ""
            sys.stderr.write(f"hv {command}: the guest asked for {shutdown}; it is not started again{hint}\n")
        return EXIT_OK
    if stop == "left":
        return EXIT_OK
    if stop == "interrupted":
        sys.stderr.write(f"\nhv {command}: interrupted\n")
        return EXIT_INTERRUPTED
    sys.stderr.write(f"hv {command}: {_SAYINGS.get(stop, stop)}\n")
    return EXIT_TIMEOUT
