"""One moment of a machine, but for its memory, as plain data and back: registers, and what Python knows of domains.

Reading goes in two steps. moment_from_plain() reads all that can be read without the domains' services; complete() the
states of devices and back ends, once the domains are there with what they were made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hv.backend.console import ConsoleState
from hv.debug.container import Blobs
from hv.debug.fields import U64, FieldError, hexbytes, items, number, record, text
from hv.debug.saved_disks import Images, Overlays
from hv.debug.saved_inputs import moment_from
from hv.debug.saved_store import Nodes, store_from, store_plain
from hv.debug.shapes import plain as value_plain
from hv.debug.structs import fill, plain
from hv.domain import CONSOLE_LOG
from hv.inputs import FAR_FUTURE
from hv.native import check, ffi, lib
from hv.snapshot import SavedDomain, Snapshot
from hv.toolstack.backends import SERVICE as BACKENDS
from hv.toolstack.connect import SavedConsole

if TYPE_CHECKING:
    from hv.debug.saved_disks import DiskParts
    from hv.debug.shapes import Shape
    from hv.devices.pc import PcMachine
    from hv.domain import Domain
    from hv.hypervisor import Hypervisor
    from hv.inputs import History
    from hv.xenstore.tree import Node

_OWN = ("console", "xenstore", BACKENDS)
"""Services that have their own places in a file. The others are the devices of a PC."""
_X86, _ARM = ("state", ffi.typeof("struct x86_state")), ("arm", ffi.typeof("struct arm_state"))
_CPUS = {lib.HV_KIND_PV: _X86, lib.HV_KIND_WHOLE: _X86, lib.HV_KIND_ARM64: _ARM, lib.HV_KIND_ARM32: _ARM}
"""By the kind of a saved cpu: where its registers are in `struct hv_saved_cpu`, and what they are."""
_COUNTS = ffi.typeof("struct hv_counts")
_DEVICES = 256
_TYPED = 1 << 24
"""Bytes of keys at most that wait for a guest to read them."""


class Tables:
    """What the moments of one file have in common, as it is written: each thing once, named by its number."""

    def __init__(self) -> None:
        self.nodes = Nodes()
        self.images = Images()
        self.overlays = Overlays()
        self.machines: list[Any] = []
        self._known: list[PcMachine] = []
        self.blobs = Blobs()

    def machine(self, machine: PcMachine) -> int:
        """The number of a machine. OSError: an image of its disks cannot be read."""
        from hv.debug.saved_machine import machine_plain

        for number_, known in enumerate(self._known):
            if known is machine:
                return number_
        self._known.append(machine)
        self.machines.append(machine_plain(machine, self.images, self.blobs))
        return len(self.machines) - 1


def moment_plain(snapshot: Snapshot, tables: Tables) -> dict[str, Any]:
    """All of a snapshot but its memory; what moments have in common goes into the tables. OSError: an image cannot be
    read."""
    return {
        "instructions": snapshot.retired,
        "idle_ns": snapshot.idle_ns,
        "moment": snapshot.moment.name.lower(),
        "inputs": snapshot.history.length if snapshot.history else 0,
        "cpus": _cpus_plain(snapshot.native),
        "domains": [_domain_plain(domain, snapshot, tables) for domain in snapshot.domains],
    }


def _cpus_plain(native: Any) -> list[Any]:
    count = ffi.new("uint32_t *")
    cpus = lib.hv_snapshot_cpus(native, count)
    return [[int(cpus[i].slot), int(cpus[i].kind), plain(*_registers(cpus[i]))] for i in range(count[0])]


def _registers(cpu: Any) -> tuple[Any, Any]:
    """The registers of a saved cpu, and their type."""
    field, kind = _CPUS[int(cpu.kind)]
    return getattr(cpu, field), kind


def _domain_plain(domain: SavedDomain, snapshot: Snapshot, tables: Tables) -> dict[str, Any]:
    count = ffi.new("uint32_t *")
    counts = lib.hv_snapshot_counts(snapshot.native, count)
    said = lib.hv_snapshot_crash_reason(snapshot.native)
    reason = domain.crash_reason or ("" if said == ffi.NULL else ffi.string(said).decode())
    services = domain.services
    return {
        "slot": domain.slot,
        "domid": domain.domid,
        "name": domain.name,
        "vcpus": list(domain.vcpus),
        "crash_reason": reason,
        "console_log": domain.console_log.hex(),
        "counts": plain(counts[domain.slot], _COUNTS) if domain.slot < count[0] else None,
        "console": _console_plain(services.get("console")),
        "xenstore": store_plain(services["xenstore"], tables.nodes) if "xenstore" in services else None,
        "machine": None if domain.machine is None else tables.machine(domain.machine),
        "devices": [
            [name, _service_plain(saved, (domain.slot, domain.domid, name), tables)]
            for name, saved in services.items() if name not in _OWN
        ],
        "backends": _backends_plain(services.get(BACKENDS, ()), (domain.slot, domain.domid), tables),
    }  # fmt: skip


def _backends_plain(saved: Any, where: tuple[int, int], tables: Tables) -> list[Any]:
    if not saved:
        return []
    from hv.debug.saved_backends import backends_plain  # most domains have none

    return backends_plain(saved, where, tables.images, tables.overlays)


def _service_plain(saved: Any, where: tuple[Any, ...], tables: Tables) -> Any:
    """What a device saved; its disks are told apart by their order."""
    disks = iter(range(1 << 16))
    return value_plain(saved, lambda overlay: tables.overlays.add(overlay, (*where, next(disks))))


def _console_plain(saved: SavedConsole | None) -> list[Any] | None:
    return saved and [saved.state.waiting.hex(), saved.state.broken, saved.printed]


# ---- back ----


class Unread(NamedTuple):
    """What a file says of a service's state, until it is known what service that is."""

    data: Any


def moment_from_plain(
    hv: Hypervisor, before: Snapshot | None, data: Any, histories: list[History | None], nodes: list[Node],
    machines: list[PcMachine],
) -> Snapshot:  # fmt: skip
    """A snapshot for this hypervisor whose memory is that of `before`, or empty, and whose devices are Unread.
    FieldError: the data are no moment."""
    retired, idle_ns, moment, inputs, cpus, domains = record(
        data, "a moment", "instructions", "idle_ns", "moment", "inputs", "cpus", "domains"
    )
    native = _cpus_from(hv, before, cpus)
    entries = items(domains, "domains", int(lib.HV_MAX_DOMAINS))
    found = [_domain_from(entry, native, nodes, machines) for entry in entries]
    if [domain.slot for domain in found] != sorted({domain.slot for domain in found}):
        raise FieldError("the domains are in no order")
    stores = [domain.services["xenstore"] for domain in found if "xenstore" in domain.services]
    _share_store(found, stores)
    history = histories[number(inputs, "the number of inputs", len(histories) - 1)]
    return Snapshot(
        native, tuple(found), history, moment_from(moment, inside=True), number(retired, "the count", FAR_FUTURE),
        number(idle_ns, "the idle time", FAR_FUTURE),
    )  # fmt: skip


def _share_store(domains: list[SavedDomain], stores: list[Any]) -> None:
    """Every domain's client saves the one store of the machine; here all of them get the same object."""
    for domain in domains:
        if "xenstore" not in domain.services:
            continue
        if domain.services["xenstore"].digest() != stores[0].digest() or domain.domid not in stores[0].connections:
            raise FieldError(f"domain {domain.domid} is not connected with the store that the others have")
        domain.services["xenstore"] = stores[0]


def _cpus_from(hv: Hypervisor, before: Snapshot | None, data: Any) -> Any:
    entries = items(data, "cpus", int(lib.HV_MAX_VCPUS))
    out = ffi.new("struct hv_snapshot **")
    base = before.native if before else ffi.NULL
    check(lib.hv_snapshot_blank(hv.native, base, len(entries), out), "a snapshot")
    native = ffi.gc(out[0], lib.hv_snapshot_release)
    cpus = lib.hv_snapshot_cpus(native, ffi.new("uint32_t *"))
    for i, entry in enumerate(entries):
        slot, kind, state = items(entry, f"cpu {i}", 3, 3)
        cpus[i].slot = number(slot, f"slot of cpu {i}", int(lib.HV_MAX_VCPUS) - 1)
        cpus[i].kind = number(kind, f"kind of cpu {i}", int(lib.HV_KINDS) - 1)
        fill(*_registers(cpus[i]), state, f"cpu {i}")
    return native


def _domain_from(data: Any, native: Any, nodes: list[Node], machines: list[PcMachine]) -> SavedDomain:
    slot, domid, name, vcpus, crash_reason, log, counts, console, store, machine, devices, backends = record(
        data, "a domain", "slot", "domid", "name", "vcpus", "crash_reason", "console_log", "counts", "console",
        "xenstore", "machine", "devices", "backends",
    )  # fmt: skip
    number(slot, "slot of a domain", int(lib.HV_MAX_DOMAINS) - 1)
    if counts is not None:
        fill(lib.hv_snapshot_counts(native, ffi.new("uint32_t *"))[slot], _COUNTS, counts, "counts of a domain")
    services: dict[str, Any] = {}
    for entry in items(devices, "devices of a domain", _DEVICES):
        device, state = items(entry, "a device", 2, 2)
        if text(device, "name of a device", 64) in services or device in _OWN:
            raise FieldError(f"there are two devices {device}")
        services[device] = Unread(state)
    if console is not None:
        waiting, broken, printed = items(console, "console", 3, 3)
        state = ConsoleState(hexbytes(waiting, "console", _TYPED), text(broken, "console", 1000))
        services["console"] = SavedConsole(state, number(printed, "console", U64))
    if store is not None:
        services["xenstore"] = store_from(store, nodes)
        services[BACKENDS] = Unread(backends)
    return SavedDomain(
        slot, number(domid, "domid", 0x7FEF), text(name, "name of a domain", 255),
        tuple(number(vcpu, "slot of a vcpu", int(lib.HV_MAX_VCPUS) - 1) for vcpu in items(vcpus, "vcpus", 64)),
        text(crash_reason, "crash_reason", 1000), hexbytes(log, "console_log", CONSOLE_LOG), services,
        None if machine is None else machines[number(machine, "machine of a domain", len(machines) - 1)],
    )  # fmt: skip


def complete(hv: Hypervisor, snapshot: Snapshot, parts: DiskParts) -> Snapshot:
    """The snapshot with the states of devices read, for the domains that the hypervisor has: hv.snapshot.adopt() has
    made them. FieldError: they are none of these devices'."""
    domains = tuple(
        saved._replace(services=_services(hv.domains[saved.slot], saved, parts)) for saved in snapshot.domains
    )
    return Snapshot(
        snapshot.native, domains, snapshot.history, snapshot.moment, snapshot.retired, snapshot.idle_ns
    )  # fmt: skip


def _services(domain: Domain, saved: SavedDomain, parts: DiskParts) -> dict[str, Any]:
    if saved.machine is not domain.machine:
        raise FieldError(f"domain {saved.domid} was another machine before")
    unread = {name: state.data for name, state in saved.services.items() if isinstance(state, Unread)}
    shapes, backends = _shapes(domain, unread, parts)
    found: dict[str, Any] = {}
    for name in (*domain.services, *(name for name in shapes if name not in domain.services)):
        if name in shapes and name in unread:
            found[name] = shapes[name](unread[name], name)
        elif name in saved.services:
            found[name] = backends if name == BACKENDS else saved.services[name]
    devices = {*shapes, *_OWN}
    if found.keys() != devices or saved.services.keys() != devices:
        raise FieldError(f"domain {saved.domid} has not the devices that it was made with")
    return found


def _shapes(domain: Domain, unread: dict[str, Any], parts: DiskParts) -> tuple[dict[str, Shape], tuple[Any, ...]]:
    """The shapes of what the devices of a domain save, by name, and the saved value of its back ends."""
    shapes: dict[str, Shape] = {}
    backends: tuple[Any, ...] = ()
    if domain.platform is not None and domain.platform.devices:
        from hv.debug.saved_devices import device_shape

        shapes = {name: device_shape(device, parts.overlay) for name, device in domain.platform.devices.items()}
    if unread.get(BACKENDS):
        from hv.debug.saved_backends import backends_from

        backends, ports = backends_from(domain, unread[BACKENDS], parts)
        shapes |= ports
    return shapes, backends


def agrees(hv: Hypervisor, snapshot: Snapshot) -> None:
    """The arena, as just restored and validated, has the domains that the snapshot names. FieldError: it has not.

    A service's page must be held for it: it writes there.
    """
    state = hv.state
    used = [slot for slot in range(int(state.domain_slots)) if state.domains[slot].used]
    if used != [domain.slot for domain in snapshot.domains]:
        raise FieldError("the domains are not those of the arena")
    if (int(state.retired), int(state.idle_ns)) != (snapshot.retired, snapshot.idle_ns):
        raise FieldError("the count is not that of the arena")
    rings = {"console": int(lib.HV_RING_CONSOLE), "xenstore": int(lib.HV_RING_STORE)}
    for domain in snapshot.domains:
        c = state.domains[domain.slot]
        slots = tuple(int(slot) for slot in c.vcpu_slot[0 : c.vcpu_count])
        if c.domid != domain.domid or slots != domain.vcpus:
            raise FieldError(f"domain {domain.domid} is not that of the arena")
        if not {*rings, BACKENDS} <= domain.services.keys() or c.rings_held != sum(rings.values()):
            raise FieldError(f"domain {domain.domid} has not the rings of its console and its store")
        _agrees_machine(hv, domain)


def _agrees_machine(hv: Hypervisor, domain: SavedDomain) -> None:
    """A PC is what an HVM domain is, and nothing else."""
    c, machine = hv.state.domains[domain.slot], domain.machine
    if (machine is not None) != (c.type == lib.DOMAIN_HVM):
        raise FieldError(f"domain {domain.domid} is not of the type that it says")
    if machine is None:
        return
    from hv.devices.layout import HOLE
    from hv.devices.vga import MEMORY_BYTES

    frames = int(lib.hv_hvm_domain(hv.native, ffi.addressof(c)).video_frames)
    needed = MEMORY_BYTES >> 12 if machine.vga else 0
    fits = machine.memory >> 12 <= c.max_pages + len(HOLE)
    if machine.vcpus != len(domain.vcpus) or frames != needed or not fits:
        raise FieldError(f"domain {domain.domid} is not the machine that it says")
