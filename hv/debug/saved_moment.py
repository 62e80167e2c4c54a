"""One moment of a machine, but for its memory, as plain data and back: registers, and what Python knows of domains."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from hv.backend.console import ConsoleState
from hv.debug.fields import U64, FieldError, hexbytes, items, number, record, text
from hv.debug.saved_inputs import moment_from
from hv.debug.saved_store import Nodes, store_from, store_plain
from hv.debug.structs import fill, plain
from hv.domain import CONSOLE_LOG
from hv.inputs import FAR_FUTURE
from hv.native import check, ffi, lib
from hv.snapshot import SavedDomain, Snapshot
from hv.toolstack.backends import SERVICE as BACKENDS
from hv.toolstack.connect import SavedConsole

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor
    from hv.inputs import History
    from hv.xenstore.tree import Node

_WRITTEN = {"console", "xenstore"}
"""Services that a file holds. Others must have nothing to save, as the PV devices of a domain without any."""
_CPU = ffi.typeof("struct x86_state")
_COUNTS = ffi.typeof("struct hv_counts")
_TYPED = 1 << 24
"""Bytes of keys at most that wait for a guest to read them."""


def moment_plain(snapshot: Snapshot, nodes: Nodes) -> dict[str, Any]:
    """All of a snapshot but its memory; nodes of xenstore go into the table. OSError: a domain has what no file can
    hold."""
    return {
        "instructions": snapshot.retired,
        "idle_ns": snapshot.idle_ns,
        "moment": snapshot.moment.name.lower(),
        "inputs": snapshot.history.length if snapshot.history else 0,
        "cpus": _cpus_plain(snapshot.native),
        "domains": [_domain_plain(domain, snapshot, nodes) for domain in snapshot.domains],
    }


def _cpus_plain(native: Any) -> list[Any]:
    count = ffi.new("uint32_t *")
    cpus = lib.hv_snapshot_cpus(native, count)
    return [[int(cpus[i].slot), int(cpus[i].whole), plain(cpus[i].state, _CPU)] for i in range(count[0])]


def _domain_plain(domain: SavedDomain, snapshot: Snapshot, nodes: Nodes) -> dict[str, Any]:
    count = ffi.new("uint32_t *")
    counts = lib.hv_snapshot_counts(snapshot.native, count)
    said = lib.hv_snapshot_crash_reason(snapshot.native)
    reason = domain.crash_reason or ("" if said == ffi.NULL else ffi.string(said).decode())
    if domain.machine is not None:
        raise OSError(errno.ENOTSUP, "the format has no place for HVM domains")
    unknown = {name for name, saved in domain.services.items() if saved or name in _WRITTEN} - _WRITTEN
    if unknown:
        raise OSError(errno.ENOTSUP, "the format has no place for PV disks and network interfaces")
    return {
        "slot": domain.slot,
        "domid": domain.domid,
        "name": domain.name,
        "vcpus": list(domain.vcpus),
        "crash_reason": reason,
        "console_log": domain.console_log.hex(),
        "counts": plain(counts[domain.slot], _COUNTS) if domain.slot < count[0] else None,
        "console": _console_plain(domain.services.get("console")),
        "xenstore": store_plain(domain.services["xenstore"], nodes) if "xenstore" in domain.services else None,
    }


def _console_plain(saved: SavedConsole | None) -> list[Any] | None:
    return saved and [saved.state.waiting.hex(), saved.state.broken, saved.printed]


# ---- back ----


def moment_from_plain(
    hv: Hypervisor, before: Snapshot | None, data: Any, histories: list[History | None], nodes: list[Node]
) -> Snapshot:
    """A snapshot for this hypervisor whose memory is that of `before`, or empty. FieldError: the data are no moment."""
    retired, idle_ns, moment, inputs, cpus, domains = record(
        data, "a moment", "instructions", "idle_ns", "moment", "inputs", "cpus", "domains"
    )
    native = _cpus_from(hv, before, cpus)
    found = [_domain_from(entry, native, nodes) for entry in items(domains, "domains", int(lib.HV_MAX_DOMAINS))]
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
        slot, whole, state = items(entry, f"cpu {i}", 3, 3)
        cpus[i].slot = number(slot, f"slot of cpu {i}", int(lib.HV_MAX_VCPUS) - 1)
        cpus[i].whole = number(whole, f"kind of cpu {i}", 1)
        fill(cpus[i].state, _CPU, state, f"cpu {i}")
    return native


def _domain_from(data: Any, native: Any, nodes: list[Node]) -> SavedDomain:
    slot, domid, name, vcpus, crash_reason, log, counts, console, store = record(
        data, "a domain", "slot", "domid", "name", "vcpus", "crash_reason", "console_log", "counts", "console",
        "xenstore",
    )  # fmt: skip
    number(slot, "slot of a domain", int(lib.HV_MAX_DOMAINS) - 1)
    if counts is not None:
        fill(lib.hv_snapshot_counts(native, ffi.new("uint32_t *"))[slot], _COUNTS, counts, "counts of a domain")
    services: dict[str, Any] = {}
    if console is not None:
        waiting, broken, printed = items(console, "console", 3, 3)
        state = ConsoleState(hexbytes(waiting, "console", _TYPED), text(broken, "console", 1000))
        services["console"] = SavedConsole(state, number(printed, "console", U64))
    if store is not None:
        services["xenstore"] = store_from(store, nodes)
        services[BACKENDS] = ()
    return SavedDomain(
        slot, number(domid, "domid", 0x7FEF), text(name, "name of a domain", 255),
        tuple(number(vcpu, "slot of a vcpu", int(lib.HV_MAX_VCPUS) - 1) for vcpu in items(vcpus, "vcpus", 64)),
        text(crash_reason, "crash_reason", 1000), hexbytes(log, "console_log", CONSOLE_LOG), services,
    )  # fmt: skip


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
        if domain.services.keys() != {*rings, BACKENDS} or c.rings_held != sum(rings.values()):
            raise FieldError(f"domain {domain.domid} has not the rings of its console and its store")
