"""A domain: a view on its `struct domain` in the arena, with its vcpus and the services it is connected to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from hv.arch import Kind, kind_numbered
from hv.native import NO_FRAME, check, ffi, lib, view
from hv.vcpu import Vcpu

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor

PAGE_SIZE = 4096
_SHUTDOWN = ("poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset")
CONSOLE_LOG = 1 << 16
"""Bytes of console_io output that are kept while nobody takes them."""


class Service(Protocol):
    """A back end outside any domain that serves this one (console, xenstore): its state is part of the domain's."""

    def canonical(self) -> bytes:
        """All of its state, equal for equal runs."""

    def save(self) -> Any:
        """All of its state as immutable data, for a snapshot."""

    def load(self, saved: Any) -> None:
        """Become what save() described, on this or on another hypervisor."""

    def accept(self, data: bytes) -> None:
        """Input from outside, through the gate (hv.inputs). ValueError: it takes none."""

    def before_restart(self) -> None:
        """The domain has ended and is about to begin anew: let go of its memory and event channels."""

    def after_restart(self) -> None:
        """It has been built again: be to it what a new one would be."""

    def close(self) -> None:
        """The domain goes away: never touch its memory again."""


class Domain:
    """One domain of a Hypervisor. `c` is its `struct domain`."""

    def __init__(self, hv: Hypervisor, slot: int, name: str) -> None:
        self.hv = hv
        self.slot = slot
        self.name = name
        self.crash_reason = ""
        """Why Python gave the domain up, for people; empty otherwise."""
        self.c: Any = ffi.addressof(lib.hv_state(hv.native).domains[slot])
        self.kind: Kind = kind_numbered(self.c.type)
        """What it is, for as long as it is: paravirtual or not, of which architecture."""
        self.vcpus: list[Vcpu] = []
        self.services: dict[str, Service] = {}
        self.host_ports: dict[int, Callable[[], None]] = {}
        self.console_sink: Callable[[bytes], None] | None = None
        self.console_log = b""
        self.timers: dict[int, Callable[[], None]] = {}
        """Devices and back ends by the number of their timer."""
        self.platform: Any = None
        """The machine around an HVM domain's processors (hv.devices.platform.Platform); None: there is none."""
        self.machine: Any = None
        """What that machine was made of (hv.devices.pc.PcMachine); None: it has no devices."""
        self.origin: Any = None
        """What it is built of again when it ends, and when that is so (hv.toolstack.restart.Origin); None: never."""
        self.restarts = 0
        """How often that has been done."""

    @property
    def abi(self) -> str:
        """The guest ABI that its shared pages are laid out by."""
        return self.kind.narrow_abi if self.c.narrow else self.kind.abi

    @property
    def translated(self) -> bool:
        """Whether the guest has frame numbers of its own, which a p2m leads to the machine's."""
        return self.kind.translated

    @property
    def shutdown_name(self) -> str | None:
        """Why the domain has shut down, in SHUTDOWN_*'s words; None while it runs."""
        if not self.c.shut_down:
            return None
        code = int(self.c.shutdown_code)
        return _SHUTDOWN[code] if code < len(_SHUTDOWN) else f"reason {code}"

    @property
    def domid(self) -> int:
        """The domain's number."""
        return int(self.c.domid)

    def add_vcpu(self) -> Vcpu:
        """Create the next vcpu: offline, to be brought up by the builder or by VCPUOP_initialise."""
        number = len(self.vcpus)
        slot = check(lib.hv_vcpu_create(self.hv.native, self.slot, number), f"{self.name}: vcpu {number}")
        self.vcpus.append(Vcpu(self, slot))
        return self.vcpus[-1]

    def write_console(self, data: bytes) -> None:
        """What the guest writes by console_io: to `console_sink`, kept in `console_log` while there is none."""
        if self.console_sink is None:
            self.console_log = (self.console_log + data)[-CONSOLE_LOG:]
        else:
            self.console_sink(data)

    def connect_host_port(self, port: int, service: Callable[[], None]) -> None:
        """Call `service` whenever the guest sends on event channel `port` (a back end outside any domain)."""
        self.host_ports[port] = service

    def host_event(self, port: int) -> None:
        """The guest sent on a channel whose other end is the host's."""
        service = self.host_ports.get(port)
        if service is not None:
            service()

    def notify(self, port: int) -> None:
        """Make event channel `port` pending, as the other end would."""
        lib.hv_evtchn_set_pending(self.hv.native, self.c, port)

    # ---- timers of devices and back ends ----

    def add_timer(self, service: Callable[[], None], number: int | None = None) -> int:
        """A timer that calls `service` when its deadline has come: its number, the lowest free one or `number`.
        ValueError: there is none left, or it is taken."""
        number = self.free_timer() if number is None else number
        if not 0 <= number < lib.HV_TIMERS or number in self.timers:
            raise ValueError(f"domain {self.name} has no timer {number} to give; it has {lib.HV_TIMERS}")
        self.timers[number] = service
        return number

    def free_timer(self) -> int:
        """The lowest number of a timer that nobody has; HV_TIMERS: there is none left."""
        return next((number for number in range(lib.HV_TIMERS) if number not in self.timers), int(lib.HV_TIMERS))

    def drop_timer(self, number: int) -> None:
        """Nobody waits for this timer any more."""
        del self.timers[number]
        self.c.timer[number] = 0

    def set_timer(self, number: int, deadline_ns: int, patient: bool = False) -> None:
        """Have the timer go off at this system time, once; 0: not. `patient`: idle time does not end for it."""
        self.c.timer[number] = max(deadline_ns, 0)
        bit = 1 << number
        self.c.patient_timers = self.c.patient_timers | bit if patient else self.c.patient_timers & ~bit

    def fire_timers(self) -> None:
        """Call those whose timers are due, the earliest first."""
        while (number := lib.hv_take_timer(self.hv.native, self.c)) < lib.HV_TIMERS:
            self._release()
            service = self.timers.get(number)  # none: a file said that the timer runs
            if service is not None:
                service()

    # ---- what enters from outside ----

    def accept(self, service: str, data: bytes) -> None:
        """Something enters for one of the services. KeyError: there is none; ValueError: it is nothing for it."""
        self._release()
        self.services[service].accept(data)

    def _release(self) -> None:
        """Of the machine's devices, one may change."""
        if self.platform is not None:
            self.platform.release()

    # ---- memory ----

    def alloc_frames(self, count: int, *, shared: bool = False) -> Sequence[int]:
        """Give the domain zeroed frames, lowest first; fewer than `count` when the machine has no more. shared: frames
        of Xen's own that it may only map, as alloc_shared_frame() gives one."""
        out = ffi.new("uint64_t[]", max(count, 1))
        allocate = lib.hv_alloc_shared_frames if shared else lib.hv_alloc_frames
        return list(out[0 : allocate(self.hv.native, self.domid, count, out)])

    def alloc_shared_frame(self) -> int:
        """A zeroed frame of Xen's own that the domain may map for ever; raises MemoryError when there is none."""
        frame = int(lib.hv_alloc_shared_frame(self.hv.native, self.domid))
        if frame == NO_FRAME:
            raise MemoryError("the machine has no free frame left; remedy: give the Hypervisor more memory_mib")
        return frame

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write machine memory at a machine address."""
        with memoryview(data) as source:
            result = lib.machine_write(self.hv.machine, address, ffi.from_buffer(source), source.nbytes)
        check(result, f"{self.name}: write of machine memory at {address:#x}")

    def read(self, address: int, length: int) -> bytes:
        """Read machine memory at a machine address."""
        out = bytearray(length)
        check(
            lib.machine_read(self.hv.machine, address, ffi.from_buffer(out), length),
            f"{self.name}: read of machine memory at {address:#x}",
        )
        return bytes(out)

    # ---- guest-physical memory of a translated domain ----

    def read_physical(self, address: int, length: int) -> bytes:
        """Guest-physical memory as a device on the bus reads it; where there is no RAM: bytes 0xff."""
        out = bytearray(length)
        lib.hv_physical_read(self.hv.native, self.c, address, ffi.from_buffer(out), length)
        return bytes(out)

    def write_physical(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write guest-physical memory; what falls where there is no RAM is lost."""
        with memoryview(data) as source:
            lib.hv_physical_write(self.hv.native, self.c, address, ffi.from_buffer(source), source.nbytes)

    def map_frames(self, gfn: int, mfns: Sequence[int], flags: int = lib.P2M_RAM | lib.P2M_WRITABLE) -> None:
        """Have machine frames stand at guest frames `gfn`, `gfn` + 1 and so on. MemoryError: the machine has no room
        for the tables."""
        if lib.hv_p2m_fill(self.hv.native, self.c, gfn, list(mfns), len(mfns), flags):
            raise MemoryError("the machine has no free frame left; remedy: give the Hypervisor more memory_mib")

    def unmap_frame(self, gfn: int) -> None:
        """Nothing stands at this guest frame any more."""
        lib.hv_p2m_set(self.hv.native, self.c, gfn, 0, 0)

    def frame_of(self, gfn: int) -> int | None:
        """The machine frame at a guest frame; None: no RAM is there."""
        flags = ffi.new("uint32_t *")
        mfn = int(lib.hv_p2m_get(self.hv.native, self.c, gfn, flags))
        return mfn if flags[0] & lib.P2M_RAM else None

    def frames_end(self) -> int:
        """Behind the highest guest frame that was ever mapped."""
        return int(lib.hv_highest_gfn(self.hv.native, self.c)) + 1

    def machine_address(self, address: int) -> int | None:
        """The machine address of a guest-physical one; None: no RAM is there."""
        mfn = self.frame_of(address // PAGE_SIZE)
        return None if mfn is None else mfn * PAGE_SIZE + address % PAGE_SIZE

    def frame(self, mfn: int) -> memoryview:
        """A read-only view of one machine frame."""
        address = lib.machine_frame(self.hv.machine, mfn)
        if address == ffi.NULL:
            raise IndexError(f"machine frame {mfn:#x} does not exist")
        return view(address, PAGE_SIZE).toreadonly()

    def hold_ring(self, ring: int) -> None:
        """Keep the page of a back end's ring (HV_RING_STORE, HV_RING_CONSOLE) this domain's, and plain memory, as long
        as the domain lives. NativeError: it is not."""
        check(lib.hv_hold_ring(self.hv.native, self.c, ring), f"{self.name}: ring page {ring}")
