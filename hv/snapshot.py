"""Snapshots: everything that a run can change, at one moment, to be put back at any time.

    before = hv.snapshot()
    hv.run(max_insns=hv.instructions + 1000)
    hv.restore(before)              # memory, registers, xenstore, timers, scheduler: all as it was

Memory, arena and registers are an `hv_snapshot` of C's (native/xen/snapshot.c): it costs what was written since the one
before, and pages that snapshots have in common are kept once. What Python holds is immutable data, so keeping it is
keeping a reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hv.domain import Domain
from hv.inputs import History, Moment
from hv.native import check, ffi, lib
from hv.vcpu import Vcpu

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor


class SavedDomain(NamedTuple):
    """The Python side of one domain. `vcpus` are slots, by number; `services` what each service's save() gave."""

    slot: int
    domid: int
    name: str
    vcpus: tuple[int, ...]
    crash_reason: str
    console_log: bytes
    services: dict[str, Any]
    machine: Any = None
    origin: Any = None
    restarts: int = 0


class Snapshot:
    """One moment of a Hypervisor. Nothing in it ever changes; it may be restored any number of times."""

    __slots__ = ("domains", "history", "idle_ns", "moment", "native", "retired")

    def __init__(
        self, native: Any, domains: tuple[SavedDomain, ...], history: History | None, moment: Moment,
        retired: int, idle_ns: int,
    ) -> None:  # fmt: skip
        self.native = native
        self.domains = domains
        self.history = history
        self.moment = moment
        self.retired = retired
        self.idle_ns = idle_ns

    @property
    def held(self) -> int:
        """Bytes of memory that this snapshot and all that share pages with it take."""
        return int(lib.image_held(lib.hv_snapshot_image(self.native)))


def take(hv: Hypervisor) -> Snapshot:
    """Save everything, between two runs. NativeError: the host has no memory for it."""
    out = ffi.new("struct hv_snapshot **")
    check(lib.hv_snapshot_take(hv.native, out), "snapshot")
    native = ffi.gc(out[0], lib.hv_snapshot_release)
    domains = tuple(_saved(hv.domains[slot]) for slot in sorted(hv.domains))
    state = hv.state
    return Snapshot(native, domains, hv.inputs.history, hv.inputs.moment, int(state.retired), int(state.idle_ns))


def _saved(domain: Domain) -> SavedDomain:
    return SavedDomain(
        domain.slot, domain.domid, domain.name, tuple(vcpu.slot for vcpu in domain.vcpus),
        domain.crash_reason, domain.console_log,
        {name: service.save() for name, service in domain.services.items()}, domain.machine, domain.origin,
        domain.restarts,
    )  # fmt: skip


def load(hv: Hypervisor, snapshot: Snapshot) -> None:
    """Put everything back. The hypervisor may be another than the snapshot's, of the same size.

    Domain objects stay the same as long as the same domains are there; else they are made anew and connected by
    `hv.connect`. Inputs that were still to enter are dropped. NativeError: another size of machine, or no memory.
    """
    adopt(hv, snapshot)
    for saved in snapshot.domains:
        domain = hv.domains[saved.slot]
        domain.crash_reason = saved.crash_reason
        domain.console_log = saved.console_log
        domain.origin, domain.restarts = saved.origin, saved.restarts
        for name, state in saved.services.items():  # in the order of their coming: one may make a later one
            domain.services[name].load(state)
    hv.inputs.history = snapshot.history
    hv.inputs.pending.clear()
    hv.inputs.moment = snapshot.moment
    hv.refusals.rewind(snapshot.retired)


def adopt(hv: Hypervisor, snapshot: Snapshot) -> None:
    """Put back what is C's, and have the snapshot's domains with their services, whose states are still others."""
    _load_native(hv, snapshot)
    if not _same_domains(hv, snapshot):
        _adopt(hv, snapshot)
        _load_native(hv, snapshot)  # connecting may have written to the domains' pages


def _load_native(hv: Hypervisor, snapshot: Snapshot) -> None:
    check(lib.hv_snapshot_restore(hv.native, snapshot.native), "restoring a snapshot")


def _same_domains(hv: Hypervisor, snapshot: Snapshot) -> bool:
    here = [(d.slot, d.domid, tuple(v.slot for v in d.vcpus)) for _, d in sorted(hv.domains.items())]
    return here == [(saved.slot, saved.domid, saved.vcpus) for saved in snapshot.domains]


def _adopt(hv: Hypervisor, snapshot: Snapshot) -> None:
    """Make Domain and Vcpu objects for what the arena holds, and have their back ends connected."""
    hv.domains.clear()
    hv.vcpus.clear()
    hv.forget_networks()
    for saved in snapshot.domains:
        domain = Domain(hv, saved.slot, saved.name)
        domain.machine, domain.origin = saved.machine, saved.origin
        domain.vcpus = [Vcpu(domain, slot) for slot in saved.vcpus]
        hv.domains[saved.slot] = domain
        hv.vcpus.update((vcpu.slot, vcpu) for vcpu in domain.vcpus)
    if hv.connect is not None:
        hv.connect(hv)
