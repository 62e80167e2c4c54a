"""Snapshots in a file: one or more moments of one run, to be opened by another process at any time.

    save("guest.snapshot", hv, [before, after], {"kernel": kernel_facts(path)})
    loaded = load("guest.snapshot")       # loaded.hv stands at the last moment
    loaded.hv.restore(loaded.snapshots[0])

docs/snapshots.md describes the format. What is read is believed by nobody: every field is checked, the registers and
the arena by C (native/xen/validate*.c), and the page types by an audit, before the hypervisor is handed out.
"""

from __future__ import annotations

import os
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.debug import container
from hv.debug.fields import U64, FieldError, items, number, record, text
from hv.debug.saved_disks import DiskParts, MissingError, images_from, overlays_from
from hv.debug.saved_inputs import beginnings, histories, inputs_from, inputs_plain
from hv.debug.saved_moment import Tables, agrees, complete, moment_from_plain, moment_plain
from hv.debug.saved_store import nodes_from
from hv.debug.structs import layout_digest
from hv.hypervisor import Hypervisor, overhead_mib
from hv.inputs import inputs_of
from hv.native import NativeError, check, ffi, lib
from hv.sched import SCHEDULERS
from hv.snapshot import adopt
from hv.toolstack.connect import reconnect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hv.devices.pc import PcMachine
    from hv.disk.image import Image
    from hv.disk.overlay import Overlay
    from hv.snapshot import Snapshot

_PAGE = 4096
_UNIT = struct.Struct("<Q")
_MAX_MOMENTS = 1 << 16
_MAX_MACHINES = 1 << 10
_ABOUT, _STATE, _BLOBS, _DISKS, _PAGES = b"ABOU", b"STAT", b"BLOB", b"DISK", b"PAGE"
_TEXT = 1024


class SnapshotFileError(container.FileFormatError):
    """A file that cannot be used as a snapshot, in one line."""


KIND = container.Kind(
    b"xenlab\x1aS", 2, "snapshot file of xenlab", "write it again with hv snapshot save", SnapshotFileError
)


class Loaded(NamedTuple):
    """An open snapshot file: a hypervisor at the last moment, all moments to restore on it, and what was said of it."""

    hv: Hypervisor
    snapshots: list[Snapshot]
    about: dict[str, Any]


# ---- writing ----


def save(path: str | Path, hv: Hypervisor, snapshots: Sequence[Snapshot], about: dict[str, Any]) -> None:
    """Write moments of one run of `hv`, in order of time; `about` is JSON-able and comes back as it is.

    OSError: the file cannot be written. ValueError: no moments, not of one run, or not in order.
    """
    if not snapshots:
        raise ValueError("a snapshot file holds one moment at least")
    if any(domain.origin is not None for domain in snapshots[-1].domains):
        raise ValueError("a snapshot file has no place for a guest that begins anew (--on-reboot, --on-crash restart)")
    inputs = inputs_of(snapshots[-1].history)
    for earlier, later in pairwise(snapshots):
        if (earlier.retired, earlier.idle_ns) > (later.retired, later.idle_ns):
            raise ValueError("the moments are not in order of time")
    known: set[int] = set()  # histories that are beginnings of the last one, by identity
    for snapshot in reversed(snapshots):
        if id(snapshot.history) not in known:
            mine = inputs_of(snapshot.history)
            if mine != inputs[: len(mine)]:
                raise ValueError("the moments are not of one run: their inputs differ")
            known |= {id(history) for history in beginnings(snapshot.history)}
    tables = Tables()
    memory_mib, quantum, seed, scheduler = hv.made_with
    moments = [moment_plain(snapshot, tables) for snapshot in snapshots]
    facts = {
        "layout": layout_digest(),
        "memory_mib": memory_mib,
        "quantum": quantum,
        "seed": seed & U64,  # as the scheduler takes it
        "scheduler": scheduler,
        "pages": [sum(1 for _ in _changes(before, now)) for before, now in _pairs(snapshots)],
        "last_slot": hv.last_slot,
        "about": about,
    }
    state = {
        "devices": _states_digest() if tables.machines else "", "nodes": tables.nodes.plain,
        "images": tables.images.plain, "machines": tables.machines, "overlays": tables.overlays.plain,
        "moments": moments, "inputs": inputs_plain(inputs),
    }  # fmt: skip
    sections = {
        _ABOUT: container.dump(facts | {"moments": [_summary(moment) for moment in moments]}),
        _STATE: container.dump(state),
        _BLOBS: tables.blobs.pieces(),
        _DISKS: tables.overlays.pieces(),
        _PAGES: _page_records(snapshots),
    }
    container.write(path, KIND, sections)


def _summary(moment: dict[str, Any]) -> dict[str, Any]:
    """What `hv snapshot info` shows of a moment without loading it."""
    names = [[domain["domid"], domain["name"], len(domain["vcpus"])] for domain in moment["domains"]]
    return {key: moment[key] for key in ("instructions", "idle_ns", "inputs")} | {"domains": names}


def _pairs(snapshots: Sequence[Snapshot]) -> list[tuple[Snapshot | None, Snapshot]]:
    """Each snapshot with the one before it."""
    return list(zip([None, *snapshots], snapshots, strict=False))


def _changes(before: Snapshot | None, now: Snapshot) -> Iterator[tuple[int, Any]]:
    """(number, bytes in C) of the pages in which a moment's memory differs from that of the one before it."""
    image = lib.hv_snapshot_image(now.native)
    unit = ffi.new("uint64_t *")
    since = ffi.NULL if before is None else lib.hv_snapshot_image(before.native)
    while True:
        page = lib.image_next(image, unit) if before is None else lib.image_next_change(image, since, unit)
        if page == ffi.NULL:
            return
        yield int(unit[0]), page
        unit[0] += 1


def _page_records(snapshots: Sequence[Snapshot]) -> Iterator[bytes]:
    for before, now in _pairs(snapshots):
        for unit, page in _changes(before, now):
            yield _UNIT.pack(unit)
            yield bytes(ffi.buffer(page, _PAGE))


# ---- reading ----


class _Facts(NamedTuple):
    """The first section: what is needed to make the machine, and what people want to know."""

    memory_mib: int
    quantum: int
    seed: int
    scheduler: str
    last_slot: int
    pages: list[int]
    about: dict[str, Any]
    moments: list[dict[str, Any]]


def load(path: str | Path) -> Loaded:
    """Open a file. SnapshotFileError: it is none, is damaged, or holds a state that this hypervisor cannot be in."""
    with container.Reader(path, KIND) as reader:
        try:
            facts = _read_facts(reader)
            return _load(reader, facts)
        except MissingError as error:
            raise SnapshotFileError(f"{path}: {error}; remedy: {error.remedy}") from None
        except FieldError as error:
            raise reader.refuse(f"is damaged: {error}") from None
        except NativeError as error:
            raise reader.refuse(f"cannot be loaded here: {error}") from None


def info(path: str | Path) -> dict[str, Any]:
    """What is in a file, without loading it. SnapshotFileError."""
    with container.Reader(path, KIND) as reader:
        try:
            facts = _read_facts(reader)
        except FieldError as error:
            raise reader.refuse(f"is damaged: {error}") from None
        return {"format": KIND.version, "bytes": os.path.getsize(path), **facts._asdict()}


def _read_facts(reader: container.Reader) -> _Facts:
    names = ("layout", "memory_mib", "quantum", "seed", "scheduler", "last_slot", "pages", "about", "moments")
    layout, memory, quantum, seed, scheduler, last, pages, about, moments = record(
        reader.json(_ABOUT), "the file", *names
    )
    if layout != layout_digest():
        raise FieldError("its structures are laid out as another version of xenlab does")
    if type(about) is not dict:
        raise FieldError("what is said about it")
    host_mib = _host_bytes() >> 20
    number(memory, "memory", 1 << 20, 1)
    if memory + overhead_mib(memory) > host_mib:
        raise FieldError(f"a machine of {memory} MiB is more than the host has")
    if text(scheduler, "scheduler", 64) not in SCHEDULERS:
        raise FieldError("there is no such scheduler")
    counts = [number(count, "pages", 1 << 40) for count in items(pages, "moments", _MAX_MOMENTS, 1)]
    if sum(counts) * _PAGE > host_mib << 20:
        raise FieldError("its pages are more than the memory of the host")
    summaries = [_check_summary(entry) for entry in items(moments, "moments", _MAX_MOMENTS, 1)]
    return _Facts(
        memory, number(quantum, "quantum", 1 << 62, 1), number(seed, "seed", U64), scheduler,
        number(last, "last_slot", int(lib.HV_MAX_VCPUS) - 1), counts, about, summaries,
    )  # fmt: skip


def _check_summary(data: Any) -> dict[str, Any]:
    instructions, idle_ns, inputs, domains = record(data, "a moment", "instructions", "idle_ns", "inputs", "domains")
    for value in (instructions, idle_ns, inputs):
        number(value, "a moment", 1 << 62)
    for entry in items(domains, "domains of a moment", 64):
        domid, name, vcpus = items(entry, "a domain", 3, 3)
        number(domid, "a domid", 0x7FEF), text(name, "a name", 255), number(vcpus, "vcpus", 64)
    return dict(data)


def _load(reader: container.Reader, facts: _Facts) -> Loaded:
    devices, nodes, images, machines, overlays, moments, inputs = record(
        reader.json(_STATE), "the state", "devices", "nodes", "images", "machines", "overlays", "moments", "inputs"
    )
    found = histories(inputs_from(inputs))
    table = nodes_from(nodes)
    pictures = images_from(images, os.path.dirname(os.path.abspath(reader.path)))
    made = _machines(reader, machines, devices, pictures)
    parts = DiskParts(pictures, _overlays(reader, overlays))
    hv = Hypervisor(
        memory_mib=facts.memory_mib, quantum=facts.quantum, seed=facts.seed, scheduler=facts.scheduler
    )
    size = sum(facts.pages) * (_UNIT.size + _PAGE)
    if reader.size(_PAGES) != size:
        raise FieldError("it has not the pages that it says")
    read = reader.pieces(_PAGES, size)
    snapshots: list[Snapshot] = []
    for count, data in zip(facts.pages, items(moments, "moments", len(facts.pages), len(facts.pages)), strict=True):
        before = snapshots[-1] if snapshots else None
        snapshot = moment_from_plain(hv, before, data, found, table, made)
        _fill_pages(snapshot, count, read)
        if before and (before.retired, before.idle_ns) > (snapshot.retired, snapshot.idle_ns):
            raise FieldError("its moments are in no order")
        snapshots.append(snapshot)
    hv.connect = reconnect
    snapshots = [_judge(hv, snapshot, parts) for snapshot in snapshots]
    hv.last_slot = facts.last_slot
    return Loaded(hv, snapshots, facts.about)


def _states_digest() -> str:
    from hv.debug.saved_devices import states_digest  # takes all devices along

    return states_digest()


def _machines(reader: container.Reader, data: Any, devices: Any, images: list[Image]) -> list[PcMachine]:
    """The PCs of a file, with all that lies in its section of firmware files."""
    found: list[PcMachine] = []
    left = reader.size(_BLOBS)
    entries = items(data, "machines", _MAX_MACHINES)
    if entries:
        from hv.debug.saved_machine import machine_from

        if devices != _states_digest():
            raise FieldError("its devices are those of another version of xenlab")
        read = reader.pieces(_BLOBS, _host_bytes())
        for entry in entries:
            machine, left = machine_from(entry, images, read, left)
            found.append(machine)
    if left:
        raise FieldError("there are more firmware files in it than it says")
    return found


def _overlays(reader: container.Reader, data: Any) -> list[Overlay]:
    return overlays_from(data, reader.size(_DISKS), reader.pieces(_DISKS, _host_bytes()))


def _host_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _fill_pages(snapshot: Snapshot, count: int, read: Callable[[int], bytes]) -> None:
    image = lib.hv_snapshot_image(snapshot.native)
    last = -1
    for _ in range(count):
        data = read(_UNIT.size + _PAGE)
        (unit,) = _UNIT.unpack_from(data)
        if unit <= last or unit >= lib.image_units(image):
            raise FieldError(f"page {unit:#x} does not exist, or comes twice")
        last = unit
        check(lib.image_set(image, unit, ffi.from_buffer(data) + _UNIT.size), "a page")


def _judge(hv: Hypervisor, snapshot: Snapshot, parts: DiskParts) -> Snapshot:
    """Put a moment into the hypervisor and look whether it is one: the whole of it. FieldError: it is none, the
    hypervisor is lost."""
    said = ffi.new("char[]", _TEXT)
    if not lib.hv_snapshot_check(hv.native, snapshot.native, said, _TEXT):
        raise FieldError(ffi.string(said).decode())
    check(lib.hv_snapshot_restore(hv.native, snapshot.native), "a moment")
    if not lib.hv_validate(hv.native, snapshot.native, said, _TEXT):
        raise FieldError(ffi.string(said).decode())
    difference = hv.audit()
    if difference:
        raise FieldError(" ".join(difference.split("\n")).strip())
    agrees(hv, snapshot)
    adopt(hv, snapshot)
    whole = complete(hv, snapshot, parts)
    hv.restore(whole)
    if not _same_memory(snapshot, hv.snapshot()):
        raise FieldError("its devices are not those of its memory")
    return whole


def _same_memory(one: Snapshot, other: Snapshot) -> bool:
    """Loading devices makes again what follows from their states: it must be there already."""
    image = lib.hv_snapshot_image(one.native)
    for unit, page in _changes(one, other):
        at = ffi.new("uint64_t *", unit)
        before = lib.image_next(image, at)
        old = bytes(ffi.buffer(before, _PAGE)) if before != ffi.NULL and at[0] == unit else bytes(_PAGE)
        if old != bytes(ffi.buffer(page, _PAGE)):
            return False
    return True
