"""The hypervisor: machine memory, domains, and the run loop. Read this first.

    hv = Hypervisor(memory_mib=160)
    dom = hv.create_domain("guest", memory_mib=128)     # then hv.builder fills it
    result = hv.run(max_insns=10**9)

One processor runs the vcpus of all domains in turn. A turn ends at an exact count of retired instructions, so a run
is a function of its inputs alone. `run()` is the whole loop: expire timers, pick a vcpu, run it, answer its exit.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import hypercall
from hv.arch import architecture, installed, kind_named, kinds
from hv.domain import Domain
from hv.inputs import InputGate, Moment
from hv.native import check, ffi, lib
from hv.refusals import RefusalLog
from hv.sched import Scheduler, make_scheduler
from hv.statehash import state_hash
from hv.vcpu import Vcpu

if TYPE_CHECKING:
    from hv.net.attach import Networks
    from hv.snapshot import Snapshot

run_turn = lib.hv_run_turn
EXIT_HYPERCALL: int = lib.EXIT_HYPERCALL
EXIT_BREAKPOINT: int = lib.EXIT_BREAKPOINT
TURN_LIMIT: int = lib.HV_TURN_LIMIT
TURN_TIME: int = lib.HV_TURN_TIME
TURN_DEVICE: int = lib.HV_TURN_DEVICE
PAGING = ("walk", "shadow")
"""How addresses of HVM and PVH guests are translated: by their page tables at each miss, or by shadows of these.
Results are the same (docs/paging.md)."""
DEFAULT_PAGING = "shadow"
PAGES_PER_MIB = 256
OVERHEAD_MIB = 8
"""Memory beside the guests' own: shared_info, grant tables, descriptor pages."""
M2P_SHARE = 512
"""One part in this many of the machine is its machine-to-phys table: 8 bytes a frame."""
NO_DEADLINE = (1 << 64) - 1
DEFAULT_QUANTUM = 1_000_000
SLICE = 20_000_000
"""Instructions at most between two looks at the keyboard and the wall clock; results do not depend on it."""
MAX_SKIPS = 1000
"""Stretches of idle time skipped at most between two such looks: a guest whose ticker wakes nobody retires
nothing."""


def overhead_mib(memory_mib: int) -> int:
    """What a machine has beside the memory of its guests."""
    return OVERHEAD_MIB + memory_mib // (M2P_SHARE - 1)


class HostError(Exception):
    """A defect of xenlab's own, with the guest's context; never a guest's fault."""


class Stop(enum.Enum):
    """Why run() came back."""

    SHUTDOWN = "shutdown"    # every domain has shut down or crashed
    INSNS = "max_insns"      # max_insns retired
    TIME = "timeout"         # system time reached until_ns
    WALL = "wall_timeout"    # the host's patience ended
    IDLE = "idle"            # every vcpu waits, and nothing is left that could wake one
    PAUSED = "paused"        # poll() asked for it
    STOP_POINT = "stop point"  # a breakpoint, watchpoint or other stop condition was met (hv.debug.stops)


class RunResult(NamedTuple):
    """What run() did: why it stopped, instructions retired since creation, system time in ns."""

    stop: Stop
    instructions: int
    now_ns: int


class Hypervisor:
    """One machine with its domains.

    memory_mib: machine memory for all domains together. quantum: instructions a vcpu may run while others wait.
    seed: of the scheduler's tie-breaks. paging: one of PAGING.
    wallclock_ns: wall-clock time at system time 0 (since 1970).
    Raises NativeError when the host cannot give the memory.
    """

    def __init__(
        self,
        *,
        memory_mib: int,
        quantum: int = DEFAULT_QUANTUM,
        seed: int = 0,
        scheduler: str = "round_robin",
        wallclock_ns: int | None = None,
        paging: str = DEFAULT_PAGING,
    ) -> None:
        out = ffi.new("struct hv **")
        self.made_with = (memory_mib, quantum, seed, scheduler)
        frames = (memory_mib + overhead_mib(memory_mib)) * PAGES_PER_MIB
        check(lib.hv_create(out, frames), f"machine of {memory_mib} MiB")
        self.native: Any = ffi.gc(out[0], lib.hv_destroy)
        self.paging = paging
        for module in installed("machine"):
            module.prepare(self)
        self.c: Any = self.native  # its struct hv, under the name that Domain and Vcpu have for theirs
        self.refusals = RefusalLog(self.native)
        self.machine: Any = lib.hv_machine(self.native)
        self.state: Any = lib.hv_state(self.native)
        self.domains: dict[int, Domain] = {}
        self.scheduler: Scheduler = make_scheduler(scheduler, quantum, seed)
        self.scheduler.enter(self.native)
        self._exit: Any = ffi.new("struct cpu_exit *")
        self.vcpus: dict[int, Vcpu] = {}
        # Hooks for who looks on from outside: called after each hv_run(), and instead of skipping idle time (with
        # the ns until the next deadline; it says how many have passed). An ordinary run has neither.
        self.inputs = InputGate(self)
        # The toolstack's way to connect consoles and store to domains that were not built but restored or forked.
        self.connect: Callable[[Hypervisor], None] | None = None
        # Its way to begin a domain anew that has ended, where its origin wants that: whether it has.
        self.restart: Callable[[Domain], bool] | None = None
        self._spare: list[Hypervisor] = []  # forks that were discarded: their engines serve the next ones
        self._parent: Hypervisor | None = None
        self._networks: Networks | None = None
        self.after_exit: Callable[[], None] | None = None
        self.idle: Callable[[int], int] | None = None
        self.slice = SLICE  # who looks on may want to be asked more often
        self.last_slot = 0  # the vcpu that ran last: in a crashed domain, the one that crashed
        if wallclock_ns is not None:
            self.state.wallclock_ns = wallclock_ns

    @property
    def instructions(self) -> int:
        """Instructions retired by all vcpus."""
        return int(self.state.retired)

    @property
    def now_ns(self) -> int:
        """System time in nanoseconds: retired instructions plus the idle time that was skipped."""
        return int(lib.hv_now(self.native))

    def create_domain(
        self, name: str, *, memory_mib: int, vcpus: int = 1, domid: int | None = None, kind: str = ""
    ) -> Domain:
        """An empty domain of a kind (hv.arch.kinds; "": the first that there is) with `vcpus` vcpus, all offline.
        NativeError: a table is full."""
        if domid is None:
            domid = max((d.domid for d in self.domains.values()), default=0) + 1
        pages = memory_mib * PAGES_PER_MIB
        number = kind_named(kind or next(iter(kinds()))).number
        slot = check(lib.hv_domain_create(self.native, domid, number, pages), f"domain {name}")
        domain = Domain(self, slot, name)
        self.domains[slot] = domain
        for _ in range(vcpus):
            vcpu = domain.add_vcpu()
            self.vcpus[vcpu.slot] = vcpu
        return domain

    def destroy_domain(self, domain: Domain) -> None:
        """Take a domain away, with all that it holds."""
        for service in tuple(domain.services.values()):  # one may take others along
            service.close()
        for vcpu in domain.vcpus:
            del self.vcpus[vcpu.slot]
        del self.domains[domain.slot]
        lib.hv_domain_destroy(self.native, domain.slot)

    @property
    def networks(self) -> Networks:
        """The switches between the domains; nothing is imported for them until somebody asks."""
        if self._networks is None:
            from hv.net.attach import Networks

            self._networks = Networks()
        return self._networks

    def forget_networks(self) -> None:
        """The domains are replaced: switches have nothing but the ports of those that were, and are made anew."""
        self._networks = None

    @property
    def state_hash(self) -> str:
        """SHA-256 of the canonical form of all state (hv.statehash)."""
        return state_hash(self)

    def audit(self) -> str:
        """Recompute every page type and count from the tables. Empty when all agree, else the first differences."""
        text = ffi.new("char[]", 4096)
        differences = int(lib.hv_audit(self.native, text, 4096))
        return f"{differences} differences\n{ffi.string(text).decode()}" if differences else ""

    # ---- time travel: hv/snapshot.py ----

    def snapshot(self) -> Snapshot:
        """Save everything that a run can change. Costs what was written since the last snapshot or restore."""
        from hv import snapshot

        return snapshot.take(self)

    def restore(self, saved: Snapshot) -> None:
        """Make everything what it was when the snapshot was taken. NativeError: it is of another size of machine."""
        from hv import snapshot

        snapshot.load(self, saved)

    def fork(self) -> Hypervisor:
        """A second hypervisor in the same state, which goes its own way. `discard()` it when done: making a
        processor takes milliseconds, and the next fork takes over those of a discarded one."""
        saved = self.snapshot()
        child = self._spare.pop() if self._spare else self._twin()
        child.restore(saved)
        return child

    def _twin(self) -> Hypervisor:
        memory_mib, quantum, seed, scheduler = self.made_with
        child = Hypervisor(memory_mib=memory_mib, quantum=quantum, seed=seed, scheduler=scheduler, paging=self.paging)
        child.connect, child.restart = self.connect, self.restart
        child._parent = self
        return child

    def discard(self) -> None:
        """A fork is no longer needed."""
        if self._parent is not None:
            self._parent._spare.append(self)

    # ---- the run loop ----

    def run(
        self,
        *,
        max_insns: int | None = None,
        until_ns: int | None = None,
        wall_seconds: float | None = None,
        poll: Callable[[], bool] | None = None,
    ) -> RunResult:
        """Run until every domain has shut down, or one of the limits is reached.

        max_insns: total of retired instructions since creation. until_ns: system time. wall_seconds: host time.
        poll: called between slices (console input enters there); True pauses the run.
        """
        wall_end = None if wall_seconds is None else time.monotonic() + wall_seconds
        limit = NO_DEADLINE if max_insns is None else max_insns
        end_ns = NO_DEADLINE if until_ns is None else until_ns
        while self.state.retired < limit:
            self.inputs.arrive(self.inputs.moment)
            if poll is not None and poll():
                return self._result(Stop.PAUSED)
            if wall_end is not None and time.monotonic() >= wall_end:
                return self._result(Stop.WALL)
            stop = self._slice(limit, end_ns, wait=poll is not None)
            if stop is not None:
                return self._result(stop)
        return self._result(Stop.INSNS)

    def step(self) -> Stop:
        """run() to the next instruction. A debugger steps a hundred thousand times, mostly with nothing in the way."""
        end = self.state.retired + 1
        inputs = self.inputs
        if not inputs.pending and self.after_exit is None:
            reason = run_turn(self.native, end, NO_DEADLINE, False, self._exit)
            if reason < TURN_LIMIT and reason != EXIT_BREAKPOINT:
                self.last_slot = self.state.running
                self._answer(self.vcpus[self.last_slot], reason, self._exit)
            if self.state.retired >= end:
                inputs.moment = Moment.COUNT
                return Stop.INSNS
        return self.run(max_insns=end).stop

    def _result(self, stop: Stop) -> RunResult:
        return RunResult(stop, self.instructions, self.now_ns)

    def _slice(self, limit: int, end_ns: int, *, wait: bool) -> Stop | None:
        """Run for `self.slice` instructions at most. None: go on; `wait` makes a wholly idle machine wait for input."""
        native, out, state, inputs = self.native, self._exit, self.state, self.inputs
        slice_end = inputs.limit(min(limit, int(state.retired) + self.slice))
        skips, idle_at = 0, -1
        after = self.after_exit
        most = MAX_SKIPS if self.idle is None else 1
        while skips < most:
            # C carries on with the turn for as long as nothing needs Python (native/xen/turn.c).
            reason = run_turn(native, slice_end, end_ns, after is not None, out)
            if reason < TURN_LIMIT:
                self.last_slot = slot = state.running
                if reason == EXIT_BREAKPOINT:
                    inputs.moment = Moment.INSIDE
                    return Stop.STOP_POINT
                self._answer(self.vcpus[slot], reason, out)
                if after is not None:
                    after()
            elif reason == TURN_LIMIT:
                inputs.moment = Moment.COUNT
                break
            elif reason == TURN_DEVICE:
                for _, domain in sorted(self.domains.items()):
                    domain.fire_timers()
            elif reason == TURN_TIME:
                inputs.moment = Moment.SKIPPED if state.retired == idle_at else Moment.COUNT
                return Stop.TIME
            elif self._restart_ended():
                break  # a guest that does nothing else must leave time for the keyboard
            elif self.scheduler.pick(self) is None:
                if inputs.arrive(Moment.IDLE):
                    if inputs.has_waited:
                        inputs.arrive(Moment.SKIPPED)
                    slice_end = inputs.limit(slice_end)
                    continue
                if all(d.c.shut_down for d in self.domains.values()):
                    return Stop.SHUTDOWN
                deadline = min(lib.hv_idle_deadline(native), end_ns)
                if deadline == NO_DEADLINE:
                    return Stop.PAUSED if wait else Stop.IDLE
                self._pass_idle(max(deadline - lib.hv_now(native), 0))
                idle_at = state.retired
                inputs.arrive(Moment.SKIPPED)
                slice_end = inputs.limit(slice_end)
                skips += 1
        return Stop.INSNS if state.retired >= limit else None

    def _restart_ended(self) -> bool:
        """A turn is over: begin those domains anew that have ended and shall go on; whether there were any."""
        if self.restart is None:
            return False
        ended = [d for _, d in sorted(self.domains.items()) if d.origin is not None and d.c.shut_down]
        return sum(self.restart(domain) for domain in ended) > 0

    def _pass_idle(self, gap: int) -> None:
        """Nothing will happen for `gap` ns: let them pass, on the wall if somebody wants that."""
        if self.idle is None or self.inputs.pending:
            self.state.idle_ns += self.inputs.next_gap(gap)
        else:
            self.inputs.wait(self.idle(gap))

    def _answer(self, vcpu: Vcpu, reason: int, out: Any) -> None:
        """Answer one exit record: the way from a trap to its meaning."""
        if reason == EXIT_HYPERCALL:
            hypercall.serve(self, vcpu, out)
            return
        match reason:
            case lib.EXIT_IO | lib.EXIT_MMIO:
                vcpu.domain.platform.answer(vcpu, out)
            case lib.EXIT_DECODE:
                architecture(vcpu.domain.abi, "decode").decode_at(self, vcpu, out)
            case lib.EXIT_BUDGET | lib.EXIT_IDLE | lib.EXIT_KICK | lib.EXIT_SHUTDOWN:
                pass
            case _:
                raise HostError(
                    f"vcpu {vcpu.domain.name}.{vcpu.id}: exit reason {reason} (vector {out.vector}, "
                    f"address {out.address:#x}, aux {out.aux:#x}) at pc {vcpu.pc:#x}"
                )
