"""What USB keyboards and tablets have in common: reports on an interrupt endpoint, and the requests of their class.

Source: Device Class Definition for Human Interface Devices 1.11, chapters 6 and 7.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from hv.devices import usb_descriptors as descriptors
from hv.devices.usb import GET_DESCRIPTOR, IN, Answer, Handshake, Request, Stall, UsbDevice, UsbState
from hv.devices.usb_descriptors import INTERRUPT, REMOTE_WAKEUP, TO_HOST, Endpoint, Interface

HID_CLASS, BOOT = 3, 1
NO_PROTOCOL, KEYBOARD_PROTOCOL = 0, 1
HID, REPORT = 0x21, 0x22
"""Types of descriptors."""
INPUT, OUTPUT = 1, 2
"""Types of reports."""
GET_REPORT, GET_IDLE, GET_PROTOCOL, SET_REPORT, SET_IDLE, SET_PROTOCOL = 1, 2, 3, 9, 10, 11
REPORT_PROTOCOL = 1
ENDPOINT = 1
INTERVAL_MS = 8
IDLE_UNIT_NS = 4_000_000
"""Of SET_IDLE."""


@dataclass
class HidState(UsbState):
    """`pending`: events that have not been reported, the next one first, of a form that each kind of device has.
    `idle`: units of IDLE_UNIT_NS after which a report comes again though nothing has happened; 0: never. `told_ns`:
    when the last one left."""

    pending: tuple[tuple[int, ...], ...] = ()
    idle: int = 0
    told_ns: int = 0
    protocol: int = REPORT_PROTOCOL


def hid_interface(protocol: int, report: bytes, packet: int, *, boot: bool) -> Interface:
    """The interface of a device with one report, which `report` describes and `packet` bytes hold."""
    extra = struct.pack("<BBHBBBH", 9, HID, 0x0111, 0, 1, REPORT, len(report))
    endpoint = Endpoint(TO_HOST | ENDPOINT, INTERRUPT, packet, INTERVAL_MS)
    return Interface((HID_CLASS, BOOT if boot else 0, protocol), (endpoint,), extra)


class HidDevice(UsbDevice, ABC):
    """A keyboard or tablet. Subclasses say what an event does, and what a report says."""

    State: type[Any] = HidState
    ATTRIBUTES = descriptors.ALWAYS_SET | REMOTE_WAKEUP
    REPORT_DESCRIPTOR: ClassVar[bytes]

    @abstractmethod
    def report(self) -> bytes:
        """The report of how things are."""

    @abstractmethod
    def happened(self, *event: int) -> None:
        """A pending event comes true."""

    # ---- the interrupt endpoint ----

    def send(self, endpoint: int) -> Answer:
        """A report, if there is something new, or if the host wants to hear all the same."""
        state = self.state
        if not state.pending and not self._again():
            return Handshake.NAK
        if state.pending:
            event, state.pending = state.pending[0], state.pending[1:]
            self.happened(*event)
        state.told_ns = self.machine.now_ns
        return self.report()

    def _again(self) -> bool:
        state = self.state
        return bool(state.idle) and self.machine.now_ns - state.told_ns >= state.idle * IDLE_UNIT_NS

    def waits(self, kind: int, endpoint: int) -> bool:
        """Nothing is pending, and nothing is to be said again."""
        state = self.state
        return kind == IN and endpoint == ENDPOINT and not state.pending and not state.idle

    @property
    def in_use(self) -> bool:
        """Whether a driver has configured the device."""
        return bool(self.state.configuration)

    # ---- requests ----

    def class_descriptor(self, request: Request, data: bytes) -> bytes:
        """GET_DESCRIPTOR of the interface."""
        if request.value >> 8 == REPORT:
            return self.REPORT_DESCRIPTOR
        if request.value >> 8 == HID:
            return self.INTERFACE.extra
        raise Stall

    def get_report(self, request: Request, data: bytes) -> bytes:
        """GET_REPORT."""
        if request.value >> 8 != INPUT:
            raise Stall
        return self.report()

    def set_report(self, request: Request, data: bytes) -> bytes:
        """SET_REPORT."""
        raise Stall

    def get_idle(self, request: Request, data: bytes) -> bytes:
        """GET_IDLE."""
        return bytes([self.state.idle])

    def set_idle(self, request: Request, data: bytes) -> bytes:
        """SET_IDLE."""
        self.state.idle, self.state.told_ns = request.value >> 8, self.machine.now_ns
        return b""

    def get_protocol(self, request: Request, data: bytes) -> bytes:
        """GET_PROTOCOL: kept; a report is the same in both."""
        return bytes([self.state.protocol])

    def set_protocol(self, request: Request, data: bytes) -> bytes:
        """SET_PROTOCOL."""
        if request.value > 1:
            raise Stall
        self.state.protocol = request.value
        return b""


HidDevice.REQUESTS = {
    **UsbDevice.REQUESTS,
    (0x81, GET_DESCRIPTOR): HidDevice.class_descriptor,
    (0xA1, GET_REPORT): HidDevice.get_report,
    (0xA1, GET_IDLE): HidDevice.get_idle,
    (0xA1, GET_PROTOCOL): HidDevice.get_protocol,
    (0x21, SET_REPORT): lambda device, request, data: device.set_report(request, data),
    (0x21, SET_IDLE): HidDevice.set_idle,
    (0x21, SET_PROTOCOL): HidDevice.set_protocol,
}
