"""The machine around a domain's processors, of any architecture: buses, interrupt lines, timers, devices on them.

A Board implements hv.devices.device.Machine for one domain, as far as an architecture does not add to it. What of it a
run changes lies in the arena or in the devices, which are services of the domain and so are saved with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv import abi
from hv.devices.bus import Bus
from hv.native import lib

if TYPE_CHECKING:
    from hv.devices.device import DataPort, Device
    from hv.domain import Domain
    from hv.vcpu import Vcpu

PORTS = 1 << 16
PHYSICAL = 1 << lib.ENGINE_PHYSICAL_BITS
"""Guest-physical addresses."""
BUS_ADDRESS = (1 << 64) - 1
"""Address lines of a device: a bus wraps, so a ring that a guest puts at the end of them goes on at 0."""


class Board:
    """The machine of one domain. `devices` by name; a device is added once, before the guest runs."""

    access_ns = 0
    """Guest time that an access takes which a device answers."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.ports = Bus(PORTS)
        self.memory = Bus(PHYSICAL)
        self.devices: dict[str, Device] = {}
        self._native = domain.hv.native
        self._timers: dict[str, int] = {}
        domain.platform = self

    def add(self, device: Device) -> None:
        """Put a device into the machine. ValueError: its name is taken."""
        if device.name in self.devices:
            raise ValueError(f"there are two devices {device.name}")
        self._timers[device.name] = self.domain.add_timer(device.timer)
        self.devices[device.name] = device
        self.domain.services[device.name] = device

    def reset(self) -> None:
        """Power on, or the reset line, of the devices."""
        for device in self.devices.values():
            device.reset()

    # ---- the guest's accesses ----

    def answer(self, vcpu: Vcpu, out: Any) -> None:
        """Answer an EXIT_IO or EXIT_MMIO."""
        bus = self.ports if out.reason == lib.EXIT_IO else self.memory
        address, size = int(out.address), int(out.error)
        value, took_ns = 0, self.access_ns
        if out.flags:
            bus.write(address, size, int(out.aux))
        else:
            value, took_ns = self.read(bus, address, size)
        lib.hv_io_answer(self._native, vcpu.c, value, took_ns)

    def read(self, bus: Bus, address: int, size: int) -> tuple[int, int]:
        """What the guest reads, and how long that takes it in ns."""
        return bus.read(address, size), self.access_ns

    def release(self) -> None:
        """A device is about to be asked by something else than an access."""

    # ---- hv.devices.device.Machine ----

    @property
    def now_ns(self) -> int:
        """System time."""
        return int(lib.hv_now(self._native))

    def set_irq(self, gsi: int, level: bool) -> None:
        """Drive an interrupt line."""
        lib.hv_set_irq(self._native, self.domain.c, gsi, level)

    def set_timer(self, device: Device, deadline_ns: int, patient: bool = False) -> None:
        """Have `device.timer()` called at a time, or not."""
        self.domain.set_timer(self._timers[device.name], deadline_ns, patient)

    def dma_read(self, address: int, length: int) -> bytes:
        """Memory as a device reads it."""
        return self.domain.read_physical(address & BUS_ADDRESS, length)

    def dma_write(self, address: int, data: bytes) -> None:
        """Memory as a device writes it."""
        self.domain.write_physical(address & BUS_ADDRESS, data)

    def hold(self, port: int, size: int, until_ns: int) -> None:
        """The read that is being answered gives the same until then: only C could make use of it."""

    def has_ram(self, address: int, length: int) -> bool:
        """Whether all of that is RAM."""
        first, last = (address & BUS_ADDRESS) >> 12, (address + max(length, 1) - 1 & BUS_ADDRESS) >> 12
        return all(self.domain.frame_of(gfn) is not None for gfn in range(first, last + 1))

    def data_port(self, port: int) -> DataPort:
        """ValueError: this machine has none."""
        raise ValueError(f"no data port is left for {port:#x}")

    def power_off(self) -> None:
        """The guest has switched itself off."""
        self._shut_down(abi.SHUTDOWN_poweroff)

    def reboot(self) -> None:
        """The guest has asked for a reset."""
        self._shut_down(abi.SHUTDOWN_reboot)

    def set_a20(self, enabled: bool) -> None:
        """A machine that is no PC has no such line."""

    def print(self, data: bytes) -> None:
        """Bytes for the console that the user sees."""
        self.domain.write_console(data)

    def _shut_down(self, code: int) -> None:
        self.domain.c.shut_down = 1
        self.domain.c.shutdown_code = code
