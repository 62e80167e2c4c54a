"""Recordings: how a guest was made, what entered it and when, and what became of it. Enough to repeat the run.

    recorder = Recorder(hv, config, kernel)     # before the run
    recorder.write("run.rec", "shutdown")       # after it, however it ended
    recording = read("run.rec")                 # anywhere else: hv.debug.replay

A run is a function of its inputs, so this is little: the guest's own doing is not recorded. Hashes of the registers on
the way say where a run that is repeated first differed, if it ever does.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.builder.image import BuilderError, domain_pages
from hv.debug import container
from hv.debug.fields import U64, FieldError, flag, hexbytes, items, number, record, text
from hv.debug.saved_config import (
    DiskFacts,
    config_plain,
    devices_from,
    disk_facts,
    firmware_digest,
    kind_from,
    machine_from,
    usb_names,
)  # fmt: skip
from hv.debug.saved_inputs import inputs_from, inputs_plain, moment_from
from hv.debug.shapes import one_of
from hv.inputs import FAR_FUTURE, Input, Moment
from hv.sched import SCHEDULERS
from hv.statehash import register_hash
from hv.toolstack.launch import GuestConfig
from hv.toolstack.restart import TRIPLE_FAULTS

if TYPE_CHECKING:
    from pathlib import Path

    from hv.hypervisor import Hypervisor

FIRST_GAP = 1 << 20
"""Instructions between two hashes of the registers at first."""
MAX_HASHES = 256
"""When there would be more, every second one is given up and the gap doubles."""
_ABOUT, _INPUTS = b"ABOU", b"INPU"
_STOPS = ("shutdown", "max_insns", "timeout", "wall_timeout", "idle", "paused", "left", "interrupted")
_PATH = 4096


class RecordingError(container.FileFormatError):
    """A file that cannot be used as a recording, or whose kernel is another by now. One line."""


KIND = container.Kind(
    b"xenlab\x1aR", 2, "recording of xenlab", "record the run again with hv run --record", RecordingError
)


class FileFacts(NamedTuple):
    """A file that a guest was made of: where it was, and the SHA-256 of its contents."""

    path: str
    sha256: str


class Place(NamedTuple):
    """Where a run ended, and the state hash there."""

    retired: int
    idle_ns: int
    moment: Moment
    state_hash: str


class Recording(NamedTuple):
    """What a file holds. `end` is None when the host ended the run, and not in any orderly way. `firmware` is a PC's,
    and `roms` the digest of the other firmware files that it was given; empty for other guests."""

    kernel: FileFacts | None
    ramdisk: FileFacts | None
    firmware: FileFacts | None
    roms: str
    disks: list[DiskFacts]
    config: GuestConfig
    inputs: list[Input]
    hashes: list[tuple[int, str]]
    end: Place | None
    stop: str


def file_facts(path: str | Path) -> FileFacts:
    """OSError: it cannot be read, is no file with an end (the path may come from a recording of anybody's), or has a
    path that no recording can hold."""
    try:
        os.path.abspath(path).encode()
    except UnicodeEncodeError:
        raise OSError(errno.EILSEQ, "its path is no UTF-8, as recordings have them", str(path)) from None
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "it is no regular file")
    with open(path, "rb") as file:
        return FileFacts(os.path.abspath(path), hashlib.file_digest(file, "sha256").hexdigest())


class Recorder:
    """Records one run from its start. `due`: the count at which `reached()` wants to be called."""

    def __init__(self, hv: Hypervisor, config: GuestConfig, kernel: str | Path | None) -> None:
        """`kernel` and `config` are what hv.toolstack.launch made the hypervisor of. OSError: a file cannot be read."""
        machine = hv.domains[min(hv.domains)].machine
        if machine is not None:
            from hv.toolstack.pc import firmware_of

            config = config._replace(firmware=firmware_of(config))
        self._hv = hv
        self._config = config._replace(wallclock_ns=int(hv.state.wallclock_ns))
        self._kernel = None if kernel is None else file_facts(kernel)
        self._ramdisk = None if config.ramdisk is None else file_facts(config.ramdisk)
        self._firmware = None if machine is None or config.firmware is None else file_facts(config.firmware)
        self._roms = firmware_digest(machine)
        self._disks = disk_facts(config.disks)
        self._hashes: list[tuple[int, str]] = []
        self._gap = FIRST_GAP
        self.due = FIRST_GAP

    def reached(self) -> None:
        """The run stands at `due`: note what its registers are."""
        self._hashes.append((self._hv.instructions, register_hash(self._hv)))
        if len(self._hashes) == MAX_HASHES:
            del self._hashes[::2]
            self._gap *= 2
        self.due += self._gap

    def recording(self, stop: str | None) -> Recording:
        """What has been recorded so far. `stop`: why the run ended; None: the state is not worth a hash."""
        hv = self._hv
        end = None
        if stop is not None:
            end = Place(hv.instructions, int(hv.state.idle_ns), hv.inputs.moment, hv.state_hash)
        return Recording(
            self._kernel, self._ramdisk, self._firmware, self._roms, self._disks, self._config, list(hv.inputs),
            self._hashes, end, stop or "interrupted",
        )  # fmt: skip

    def write(self, path: str | Path, stop: str | None) -> None:
        """Write the file. OSError."""
        write(path, self.recording(stop))


def write(path: str | Path, recording: Recording) -> None:
    """Write a recording. OSError."""
    config, end = recording.config, recording.end
    about = {
        "kernel": recording.kernel and list(recording.kernel),
        "ramdisk": recording.ramdisk and list(recording.ramdisk),
        "firmware": recording.firmware and list(recording.firmware),
        "roms": recording.roms,
        **config_plain(config, recording.disks),
        "memory_mib": config.memory_mib,
        "vcpus": config.vcpus,
        "cmdline": config.cmdline,
        "quantum": config.quantum,
        "seed": config.seed & U64,  # as the scheduler takes it
        "scheduler": config.scheduler,
        "name": config.name,
        "wallclock_ns": config.wallclock_ns,
        "stop": recording.stop,
        "end": end and [end.retired, end.idle_ns, end.moment.name.lower(), end.state_hash],
        "hashes": [list(entry) for entry in recording.hashes],
    }
    sections = {_ABOUT: container.dump(about), _INPUTS: container.dump(inputs_plain(recording.inputs))}
    container.write(path, KIND, sections)


# ---- reading ----


def read(path: str | Path) -> Recording:
    """Read a recording. RecordingError: it is none, or is damaged."""
    with container.Reader(path, KIND) as reader:
        try:
            return _recording(reader.json(_ABOUT), inputs_from(reader.json(_INPUTS)))
        except FieldError as error:
            raise reader.refuse(f"is damaged: {error}") from None


def _recording(about: Any, inputs: list[Input]) -> Recording:
    names = (
        "kernel", "ramdisk", "firmware", "roms", "kind", "boot", "usb", "vga",
        "serial_console", "xen_platform", "triple_fault", "forced_emulation", "machine", "disks", "nics",
        "memory_mib", "vcpus", "cmdline", "quantum", "seed", "scheduler", "name", "wallclock_ns", "stop", "end",
        "hashes",
    )  # fmt: skip
    (
        kernel, ramdisk, firmware, roms, kind, boot, usb, vga, serial, xen, triple, forced, machine, disks, nics,
        memory, vcpus, cmdline, quantum, seed, scheduler, name, wallclock, stop, end, hashes,
    ) = record(about, "the recording", *names)  # fmt: skip
    try:
        domain_pages(number(memory, "memory", 1 << 20, 1))
    except BuilderError as error:
        raise FieldError(str(error)) from None
    if text(scheduler, "scheduler", 64) not in SCHEDULERS:
        raise FieldError("there is no such scheduler")
    if stop not in _STOPS:
        raise FieldError("there is no such end")
    code, initrd, bios = (
        None if data is None else _file_from(data, what)
        for what, data in (("kernel", kernel), ("ramdisk", ramdisk), ("firmware", firmware))
    )
    known, cards = devices_from(disks, nics)
    config = GuestConfig(
        memory_mib=memory, vcpus=number(vcpus, "vcpus", 64, 1), cmdline=text(cmdline, "cmdline"),
        ramdisk=initrd and initrd.path, quantum=number(quantum, "quantum", FAR_FUTURE, 1),
        seed=number(seed, "seed", U64), wallclock_ns=number(wallclock, "wallclock_ns", FAR_FUTURE),
        name=text(name, "name", 255), scheduler=scheduler, kind=kind_from(kind, kernel=code is not None),
        disks=tuple(facts.options for facts in known), nics=cards, firmware=bios and bios.path,
        boot=text(boot, "boot order", 16), usb=usb_names(usb), vga=flag(vga, "vga"),
        serial_console=flag(serial, "serial_console"), xen_platform=flag(xen, "xen_platform"),
        triple_fault=one_of(*TRIPLE_FAULTS)(triple, "triple_fault"), forced_emulation=flag(forced, "forced_emulation"),
        machine=machine_from(machine),
    )  # fmt: skip
    places = [_hash_from(entry) for entry in items(hashes, "hashes", MAX_HASHES)]
    if [count for count, _ in places] != sorted({count for count, _ in places}):
        raise FieldError("the hashes are in no order")
    return Recording(
        code, initrd, bios, text(roms, "firmware files", 64), known, config, inputs, places,
        None if end is None else _place_from(end), stop,
    )  # fmt: skip


def _file_from(data: Any, what: str) -> FileFacts:
    path, digest = items(data, what, 2, 2)
    if "\0" in text(path, what, _PATH):
        raise FieldError(f"{what} is no path")
    return FileFacts(path, _digest_from(digest, what))


def _digest_from(value: Any, what: str) -> str:
    return hexbytes(value, f"the digest of {what}", exactly=32).hex()


def _hash_from(data: Any) -> tuple[int, str]:
    count, digest = items(data, "a state hash", 2, 2)
    return number(count, "the count of a hash", FAR_FUTURE), _digest_from(digest, "the state")


def _place_from(data: Any) -> Place:
    retired, idle_ns, moment, digest = items(data, "the end", 4, 4)
    return Place(
        number(retired, "the end", FAR_FUTURE), number(idle_ns, "the end", FAR_FUTURE), moment_from(moment),
        _digest_from(digest, "the end"),
    )  # fmt: skip
