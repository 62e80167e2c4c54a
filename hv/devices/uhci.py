"""A UHCI host controller as in PIIX3 (PCI 8086:7020): registers, a root hub of two ports, frames, interrupts.

    BAR 4 + 0x00   command     + 0x02  status    + 0x04  interrupt enable    + 0x06  frame number
          + 0x08   frame list base               + 0x0c  start of frame      + 0x10, 0x12  ports

A frame takes 1 ms of system time, and what it does (uhci_schedule.py) is done at its end. There are frames only while
the guest has started the controller. The frame number is computed.

Where a look at the whole schedule finds nothing but TDs that devices would answer by NAK, the next frame is a patient
one (Machine.set_timer): while all processors wait, time passes it by, because only a processor could give it something
to do. A device that has something to say asks for a frame. So an idle guest with a tablet costs nothing, and what it
sees is the same.

A port that is suspended, or a controller that is, sees a device's remote wakeup as a resume signal.

Source: Intel, Universal Host Controller Interface Design Guide 1.1, chapter 2; 82371SB (PIIX3) data sheet, section
2.6.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hv.devices.device import NEVER
from hv.devices.pci import (
    BAR_IO,
    COMMAND_MASTER,
    QEMU_SUBSYSTEM,
    STATUS,
    Bar,
    Identity,
    PciDevice,
    PciMachine,
    PciState,
)
from hv.devices.registers import Register, mixed_region
from hv.devices.uhci_schedule import (
    FAILED,
    ON_COMPLETE,
    ON_SHORT,
    PROCESS_ERROR,
    SYSTEM_ERROR,
    Frame,
    Stopped,
    nothing_waits,
)
from hv.devices.usb import UsbDevice
from hv.devices.values import replaced

SIZE, PORTS = 0x20, 2
FRAME_NS = 1_000_000
FRAME_NUMBERS = 0x7FF
LOOK_EVERY = 8
"""Frames in a row that have done nothing, before the schedule is looked at; where idle time has passed a frame by, it
is looked at at once, so that several controllers, or timers of the guest, do not keep each other awake."""
RUN, RESET, GLOBAL_RESET, SUSPENDED, COMMAND_BITS = 0x01, 0x02, 0x04, 0x08, 0xFD
INTERRUPTED, ERROR, RESUME, HALTED = 0x01, 0x02, 0x04, 0x20
"""Status."""
CLEARED = INTERRUPTED | ERROR | RESUME | SYSTEM_ERROR | PROCESS_ERROR
ENABLE_ERROR, ENABLE_RESUME, ENABLE_COMPLETE, ENABLE_SHORT = 1, 2, 4, 8
CONNECTED, CONNECT_CHANGE, ENABLED, ENABLE_CHANGE, LINE_HIGH = 0x0001, 0x0002, 0x0004, 0x0008, 0x0010
RESUME_DETECT, ALWAYS, PORT_RESET, PORT_SUSPENDED = 0x0040, 0x0080, 0x0200, 0x1000
CHANGES, PORT_WRITABLE = CONNECT_CHANGE | ENABLE_CHANGE, ENABLED | RESUME_DETECT | PORT_RESET | PORT_SUSPENDED
SERIAL_BUS_RELEASE, LEGACY = 0x60, 0xC0
"""In configuration space: release 1.0 of the bus, and legacy support, which is kept."""
LEGACY_FIRST = 0x2000


@dataclass
class UhciState(PciState):
    """The registers. `number` is the frame number at `start_ns`, when the controller was started, or now if it is not.
    `causes`: why status says that a TD interrupts. `quiet`: frames in a row that have done nothing. `waits_ns`: the end
    of a frame that idle time may pass by; 0: there is none."""

    usb_command: int = 0
    status: int = 0
    enabled: int = 0
    number: int = 0
    start_ns: int = 0
    base: int = 0
    start_of_frame: int = 0x40
    ports: tuple[int, ...] = (ALWAYS,) * PORTS
    causes: int = 0
    quiet: int = 0
    waits_ns: int = 0


class Uhci(PciDevice):
    """A controller with at most two devices, which are in the machine by themselves. ValueError: more."""

    IDENTITY = Identity(0x8086, 0x7020, 0x0C0300, 1, *QEMU_SUBSYSTEM, pin=4)
    State: type[Any] = UhciState
    WRITABLE: Mapping[int, int] = {LEGACY: 0xBF, LEGACY + 1: 0x20}

    def __init__(
        self, machine: PciMachine, devices: Sequence[UsbDevice], name: str = "uhci", slot: int = 1, function: int = 2
    ) -> None:
        if len(devices) > PORTS:
            raise ValueError(f"{name}: {len(devices)} devices on {PORTS} ports")
        super().__init__(machine, name, slot, function)
        self.devices = tuple([*devices, None, None][:PORTS])
        """At each port; None: nothing."""
        self.bars[4] = Bar(BAR_IO, SIZE, mixed_region(self, f"{name} registers", SIZE, TABLE))
        for port, device in enumerate(self.devices):
            if device is not None:
                device.ready = functools.partial(self.wake, port)
        self._power_on()

    def first_config(self) -> bytes:
        """Configuration space after a reset."""
        config = bytearray(super().first_config())
        config[STATUS : STATUS + 2] = 0x0280.to_bytes(2, "little")
        config[SERIAL_BUS_RELEASE] = 0x10
        config[LEGACY : LEGACY + 2] = LEGACY_FIRST.to_bytes(2, "little")
        return bytes(config)

    def _power_on(self) -> None:
        super().reset()
        self._initialise()

    def reset(self) -> None:
        """Power on, or the reset line."""
        self._power_on()
        self.machine.set_timer(self, NEVER)

    def _initialise(self) -> None:
        """All but configuration space: nothing runs, and what is plugged in has just been."""
        self.state = self.State(
            config=self.state.config,
            ports=tuple(ALWAYS if device is None else ALWAYS | CONNECTED | CONNECT_CHANGE for device in self.devices),
        )

    # ---- frames ----

    @property
    def running(self) -> bool:
        """Whether there are frames."""
        return bool(self.state.usb_command & RUN)

    def _passed(self) -> int:
        """Frames that have ended since the controller was started."""
        return (self.machine.now_ns - int(self.state.start_ns)) // FRAME_NS

    def _plan(self, patient: bool = False) -> None:
        """Have the timer go off when the frame ends that is now."""
        deadline = self.state.start_ns + (self._passed() + 1) * FRAME_NS if self.running else NEVER
        self.state.waits_ns = deadline if patient else 0
        self.machine.set_timer(self, deadline, patient)

    def timer(self) -> None:
        """A frame has ended."""
        state = self.state
        if not self.running:
            return
        try:
            patient = self._frame((state.number + self._passed() - 1) & FRAME_NUMBERS)
        except Stopped as reason:
            self._stop()
            state.status |= reason.status
            self._drive_line()
            return
        self._plan(patient)

    def _frame(self, number: int) -> bool:
        """Do what a frame does; whether the next one can wait."""
        state = self.state
        if not self.command & COMMAND_MASTER:
            return False
        frame = Frame(self)
        try:
            frame.run(number)
        finally:
            self._interrupt(frame.causes)
        state.quiet = 0 if frame.moved else state.quiet + 1
        look = state.quiet % LOOK_EVERY == 0 or 0 < state.waits_ns < self.machine.now_ns
        return bool(state.quiet) and look and nothing_waits(self)

    def addressed(self, address: int) -> UsbDevice | None:
        """The device with that address on the bus; None: there is none that hears."""
        for port, device in zip(self.state.ports, self.devices, strict=True):
            hears = port & (ENABLED | PORT_SUSPENDED | PORT_RESET) == ENABLED
            if device is not None and hears and device.state.address == address:
                return device
        return None

    def wake(self, port: int) -> None:
        """The device at a port has something to say."""
        state = self.state
        state.quiet = 0
        device = self.devices[port]
        suspended = state.usb_command & SUSPENDED or state.ports[port] & PORT_SUSPENDED
        if suspended and device is not None and device.state.wakeup:
            state.ports = replaced(state.ports, port, state.ports[port] | RESUME_DETECT)
            state.status |= RESUME
            self._drive_line()
        self._plan()

    # ---- interrupts ----

    def _interrupt(self, causes: int) -> None:
        state = self.state
        state.causes |= causes & (ON_COMPLETE | ON_SHORT)
        state.status |= (INTERRUPTED if state.causes else 0) | (ERROR if causes & FAILED else 0)
        self._drive_line()

    def _drive_line(self) -> None:
        state = self.state
        wanted = (
            (state.causes & ON_COMPLETE and state.enabled & ENABLE_COMPLETE)
            or (state.causes & ON_SHORT and state.enabled & ENABLE_SHORT)
            or (state.status & ERROR and state.enabled & ENABLE_ERROR)
            or (state.status & RESUME and state.enabled & ENABLE_RESUME)
            or state.status & (SYSTEM_ERROR | PROCESS_ERROR)
        )
        if bool(wanted) != self.interrupting:
            self.set_irq(bool(wanted))

    # ---- registers ----

    def write_command(self, value: int) -> None:
        """USBCMD."""
        if value & (RESET | GLOBAL_RESET):
            for device in self.devices:
                if device is not None and value & GLOBAL_RESET:
                    device.bus_reset()
            self._initialise()
            self.state.usb_command = value & COMMAND_BITS & ~RUN
            self._plan()
            self._drive_line()
            return
        was = self.running
        if was and not value & RUN:
            self._stop()
        self.state.usb_command = value & COMMAND_BITS
        if self.running and not was:
            self.state.start_ns, self.state.quiet = self.machine.now_ns, 0
            self._plan()

    def _stop(self) -> None:
        state = self.state
        state.number = self.read_number()
        state.usb_command &= ~RUN
        self._plan()

    def read_status(self) -> int:
        """USBSTS."""
        return int(self.state.status) | (0 if self.running else HALTED)

    def clear_status(self, value: int) -> None:
        """USBSTS: ones clear."""
        self.state.status &= ~(value & CLEARED)
        if value & INTERRUPTED:
            self.state.causes = 0
        self._drive_line()

    def enable(self, value: int) -> None:
        """USBINTR."""
        self._drive_line()

    def read_number(self) -> int:
        """FRNUM."""
        return int(self.state.number) + (self._passed() if self.running else 0) & FRAME_NUMBERS

    def write_number(self, value: int) -> None:
        """FRNUM: only while the controller is stopped."""
        if not self.running:
            self.state.number = value & FRAME_NUMBERS

    def read_port(self, number: int) -> int:
        """PORTSC."""
        port = int(self.state.ports[number])
        return port | (LINE_HIGH if port & CONNECTED and not port & PORT_RESET else 0)

    def write_port(self, number: int, value: int) -> None:
        """PORTSC. A reset of the port is one of the device; without a device nothing is enabled."""
        port, device = self.state.ports[number], self.devices[number]
        if device is not None and value & PORT_RESET and not port & PORT_RESET:
            device.bus_reset()
        port &= ~(value & CHANGES | PORT_WRITABLE)
        port |= value & PORT_WRITABLE
        if device is None or value & PORT_RESET:
            port &= ~ENABLED
        self.state.ports = replaced(self.state.ports, number, port)


def _port(number: int) -> Register:
    return Register(
        f"PORTSC{number + 1}",
        clears=CHANGES,
        read=lambda device: device.read_port(number),
        write=lambda device, value: device.write_port(number, value),
    )


TABLE = {
    0x00: (2, Register("USBCMD", "usb_command", write=Uhci.write_command)),
    0x02: (2, Register("USBSTS", clears=CLEARED, read=Uhci.read_status, write=Uhci.clear_status)),
    0x04: (2, Register("USBINTR", "enabled", writable=0x0F, write=Uhci.enable)),
    0x06: (2, Register("FRNUM", read=Uhci.read_number, write=Uhci.write_number)),
    0x08: (4, Register("FLBASEADD", "base", writable=0xFFFFF000)),
    0x0C: (1, Register("SOFMOD", "start_of_frame", writable=0x7F)),
    0x10: (2, _port(0)),
    0x12: (2, _port(1)),
}
"""offset: (width, register)"""
