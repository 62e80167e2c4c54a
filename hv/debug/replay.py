"""Repeat a recorded run, and say where it first differed from the recording, if it does.

    replay = Replay(read("run.rec"))
    replay.run()                      # Difference, when it is not the run that was recorded
    replay.guest.hv                   # stands where the recording ended
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.recording import FileFacts, Recording, RecordingError, file_facts
from hv.debug.saved_config import DiskFacts, firmware_digest
from hv.inputs import Moment, ReplayError
from hv.statehash import register_hash
from hv.toolstack.launch import Guest, launch

if TYPE_CHECKING:
    from collections.abc import Callable

_REMEDY = "use the file that was recorded"


class Difference(Exception):
    """The run is not the recorded one. One line: where it first differed."""


class Replay:
    """One run, made anew from a recording and not begun. `sink` gets what the guest prints.

    RecordingError: the kernel or the ramdisk is another than was recorded. BuilderError: no guest can be made of them.
    """

    def __init__(self, recording: Recording, sink: Callable[[bytes], object] | None = None) -> None:
        self.recording = recording
        files = (("kernel", recording.kernel), ("ramdisk", recording.ramdisk), ("firmware", recording.firmware))
        for what, facts in files:
            if facts is not None:
                _same_file(what, facts)
        for disk in recording.disks:
            _same_disk(disk)
        self.guest: Guest = launch(recording.kernel and recording.kernel.path, recording.config, sink)
        if firmware_digest(self.guest.domain.machine) != recording.roms:
            problem = "a video BIOS or an expansion ROM is not the one that was recorded"
            raise RecordingError(f"the guest's firmware: {problem}; remedy: install the package that was there")
        self.guest.hv.inputs.replay(recording.inputs)

    def run(self, to: int | None = None) -> None:
        """Run to the end of the recording, or to `to` instructions. Difference, as soon as one shows."""
        hv, recording = self.guest.hv, self.recording
        same = 0
        try:
            for count, digest in recording.hashes:
                if to is not None and count > to:
                    break
                hv.run(max_insns=count)
                if hv.instructions != count or register_hash(hv) != digest:
                    raise Difference(_between(same, min(count, hv.instructions)))
                same = count
            if to is None:
                self._to_end(same)
            else:
                hv.run(max_insns=to)
        except ReplayError as error:
            raise Difference(str(error)) from None

    def _to_end(self, same: int) -> None:
        """To the very place of the end: a run can end at different moments of one count."""
        hv, end = self.guest.hv, self.recording.end
        if end is None:
            last = self.recording.inputs[-1].retired if self.recording.inputs else same
            hv.run(max_insns=max(last, same))
            return
        if end.moment is Moment.COUNT:
            hv.run(max_insns=end.retired)
        elif end.moment is Moment.SKIPPED:
            hv.run(max_insns=end.retired + 1, until_ns=end.retired + end.idle_ns)
        else:
            hv.run(max_insns=end.retired + 1)
        if hv.inputs.pending:
            due = hv.inputs.pending[0].last
            raise Difference(f"{_between(same, hv.instructions)}: input for {due.service} was not taken")
        if hv.instructions != end.retired or int(hv.state.idle_ns) != end.idle_ns or hv.state_hash != end.state_hash:
            raise Difference(_between(same, min(end.retired, hv.instructions)))


def _between(same: int, different: int) -> str:
    return f"the run differs from the recording at instruction {different:,} or before, and not yet at {same:,}"


def _same_file(what: str, facts: FileFacts) -> None:
    try:
        now = file_facts(facts.path)
    except OSError as error:
        raise RecordingError(f"{facts.path}: the {what} cannot be read: {error.strerror}; remedy: {_REMEDY}") from None
    if now.sha256 != facts.sha256:
        raise RecordingError(f"{facts.path}: the {what} is not the one that was recorded; remedy: {_REMEDY}")


def _same_disk(disk: DiskFacts) -> None:
    from hv.debug.saved_disks import MissingError, open_same

    options = disk.options
    try:
        open_same(disk.files, options.format, "", cdrom=options.cdrom).close()
    except MissingError as error:
        raise RecordingError(f"{error}; remedy: {error.remedy}") from None
