"""What a device is, and what it may ask of the machine that it sits in.

A device has a name, registers on the buses, and `state`: a dataclass of immutable values (int, bool, bytes, str, None,
and tuples of these), which is all that it remembers of a run. So saving a device is keeping its values, and two runs
that were given the same make the same. Nothing else may change while a guest runs; what follows from the state (where a
PCI device's registers are mapped, say) is made again by `loaded()`.

Time is the machine's `now_ns`, never the host's. What comes from outside (keys, packets) comes by `accept()`, which the
input gate calls (hv.inputs): a device reads no file, socket or clock of the host by itself.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hv.devices.bus import Bus

NEVER = 0
"""set_timer(): the device waits for nothing."""


class DataPort(Protocol):
    """A port through which a block of data goes word by word (`rep insw`). The machine serves it without asking the
    device, but for the access that takes or brings the last byte: that one goes to the device's region as ever."""

    def give(self, data: bytes) -> None:
        """Reads of the port take from these bytes, in order."""

    def take(self, count: int) -> None:
        """Writes to the port are collected until there are `count` bytes."""

    def rest(self) -> bytes:
        """What has not been read yet: in the last read, at most as many bytes as it asks for. Nothing is left then."""

    def collected(self) -> bytes:
        """What has been written before the last write, which brings the bytes that are missing."""

    def stop(self) -> None:
        """The transfer is off: every access goes to the device."""


class Machine(Protocol):
    """What a device may ask of its machine."""

    ports: Bus
    """The I/O ports, 0 to 0xffff."""
    memory: Bus
    """Guest-physical addresses that are no RAM (memory-mapped registers)."""

    @property
    def now_ns(self) -> int:
        """System time in nanoseconds: what every clock and counter of a device is made of."""

    def set_irq(self, gsi: int, level: bool) -> None:
        """Drive an interrupt line: 0 to 15 are the ISA interrupts (both of the PIC and of the IOAPIC), higher ones
        reach the IOAPIC only. A line keeps its level until it is set again; an edge is a change from low to high."""

    def set_timer(self, device: Device, deadline_ns: int, patient: bool = False) -> None:
        """Have `device.timer()` called once, as soon as system time is `deadline_ns` or later; NEVER: not. A device has
        one timer; setting it replaces what was set. `patient`: for a device that has something to do only if a
        processor has done something before: while all of them wait, time passes the deadline by, and the device is
        called when somebody else has ended that."""

    def dma_read(self, address: int, length: int) -> bytes:
        """Guest-physical memory as a device on the bus reads it. Where there is no RAM: bytes 0xff."""

    def dma_write(self, address: int, data: bytes) -> None:
        """Write guest-physical memory. What falls where there is no RAM is lost."""

    def hold(self, port: int, size: int, until_ns: int) -> None:
        """The read of `size` bytes at `port` that is being answered gives the same again until system time `until_ns`,
        and changes nothing, as long as no device of the machine is asked anything else, nothing enters from outside,
        and no timer comes. The machine may then answer by itself."""

    def has_ram(self, address: int, length: int) -> bool:
        """Whether DMA there reaches RAM, to the last byte."""

    def data_port(self, port: int) -> DataPort:
        """The machine's side of a data port; what is under way there is the machine's state, and saved with it."""

    def power_off(self) -> None:
        """The guest has switched itself off (ACPI S5)."""

    def reboot(self) -> None:
        """The guest has asked for a reset of the whole machine (keyboard controller, port 0xcf9, ACPI reset)."""

    def set_a20(self, enabled: bool) -> None:
        """Address line 20: held low (False), so that the odd megabytes are the even ones, or not. Not after a reset."""

    def print(self, data: bytes) -> None:
        """Bytes for the console that the user sees (serial port, debug ports)."""


def state_values(state: Any) -> tuple[Any, ...]:
    """The values of all fields of a state."""
    return tuple(getattr(state, field.name) for field in dataclasses.fields(state))


class Device:
    """One device of a machine. `name` is unique there: "serial0", "ide". Subclasses define `State`, a dataclass
    whose defaults are what the device is after power-on."""

    State: type[Any]

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine = machine
        self.name = name
        self.state = self.State()

    def reset(self) -> None:
        """The reset line, or power-on: registers become what the data sheet says. What a reset leaves alone (the
        contents of memory and disks) a subclass keeps."""
        self.state = self.State()
        self.loaded()

    def timer(self) -> None:
        """The deadline that was set has come."""

    def accept(self, data: bytes) -> None:
        """Something enters from outside; `data` is whatever this kind of device says it is. Never an exception: what is
        malformed is dropped."""

    def loaded(self) -> None:
        """The state was replaced (reset, snapshot): make again what follows from it. Interrupt lines and timers are
        the machine's state, not to be touched here."""

    # ---- hv.domain.Service ----

    def before_restart(self) -> None:
        """The machine is about to be switched on again; reset() will say so."""

    def after_restart(self) -> None:
        """It has been."""

    def save(self) -> tuple[Any, ...]:
        """The values of all fields of the state."""
        return state_values(self.state)

    def load(self, saved: tuple[Any, ...]) -> None:
        """Become what save() described."""
        self.state = self.State(*saved)
        self.loaded()

    def canonical(self) -> bytes:
        """For the state hash."""
        return repr(self.save()).encode()

    def close(self) -> None:
        """The machine goes away."""
