"""What `hv run` keeps of a run: its recording (--record), and moments before a crash (--on-crash snapshot)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hv.builder.image import BuilderError
from hv.debug.crash_file import about_guest, moments_of, write_crash
from hv.debug.recording import Recorder
from hv.toolstack.restart import RESTART

if TYPE_CHECKING:
    from hv.cli.session import Session


def keep(session: Session) -> None:
    """Have the session keep what its options ask for. BuilderError: a file that the guest is made of cannot be read."""
    options = session.options
    if session.domain.origin is not None:
        option = "--record" if options.record else "--on-crash snapshot"
        cause = "--on-reboot" if options.on_reboot == RESTART else "--on-crash"
        raise BuilderError(option, "it has no place for a guest that begins anew", f"leave out {cause} restart")
    try:
        if options.record:
            session.keepers.append(KeptRecording(session))
        if options.on_crash == "snapshot":
            session.keepers.append(KeptMoments(session))
    except OSError as error:
        name = str(error.filename or options.kernel)
        raise BuilderError(name, f"cannot be read: {error.strerror}", "give a file that can be") from None


class KeptRecording(Recorder):
    """The recording of --record: written when the session ends, however it ends."""

    def __init__(self, session: Session) -> None:
        assert session.config is not None
        super().__init__(session.hv, session.config, session.options.kernel)
        self._path = session.options.record

    def close(self, command: str, stop: str | None) -> None:
        """Write it. `stop`: why the run ended, None: by a defect, or by the user's force."""
        try:
            self.write(self._path, stop)
        except OSError as error:
            sys.stderr.write(f"hv {command}: --record: {self._path} cannot be written: {error.strerror}\n")


class KeptMoments:
    """The moments of --on-crash snapshot: written when the guest has crashed, else forgotten."""

    def __init__(self, session: Session) -> None:
        self._moments = moments_of(session.hv)
        self.due = self._moments.due
        options = session.options
        self._session = session
        self._given = options.snapshot
        self._path = options.snapshot or f"{os.path.basename(options.kernel or session.domain.name)}.snapshot"
        self._about = about_guest(options.kernel, options.firmware, cmdline=options.cmdline)

    def reached(self) -> None:
        """Take one."""
        self._moments.reached()
        self.due = self._moments.due

    def close(self, command: str, stop: str | None) -> None:
        """Write them, if it is worth it."""
        if stop is None or self._session.domain.shutdown_name != "crash":
            if self._given and os.path.exists(self._given) and os.path.getsize(self._given) == 0:
                os.unlink(self._given)  # made to see whether it could be
            return
        try:
            write_crash(self._path, self._session.hv, self._moments.snapshots, self._about, self._session.crash)
        except OSError as error:
            sys.stderr.write(f"hv {command}: --on-crash: {self._path} cannot be written: {error.strerror}\n")
            return
        moments = len(self._moments.snapshots) + 1
        sys.stderr.write(f"hv {command}: {moments} moments up to the crash; hv debug {self._path} opens them\n")
