"""A USB device at the end of a cable: packets that a host controller sends and asks for, requests on endpoint 0.

A device is told of each packet (`token()`) and answers at once: with data, or a handshake. It does not speak by
itself; a host controller that has nothing else to do is told by `ready` that there is something to ask for. So a
device that a guest has no driver for costs nothing.

Data toggles are taken for what the host says: a packet is never lost on this cable.

Source: Universal Serial Bus Specification 2.0, chapters 8 and 9.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hv.devices import usb_descriptors as descriptors
from hv.devices.device import Device, Machine
from hv.devices.usb_descriptors import TO_HOST

SETUP, IN, OUT = 0x2D, 0x69, 0xE1
"""Packet identifiers of tokens."""
MOST_RECEIVED = 4096
"""Bytes that a control transfer may bring; longer ones stall."""
GET_STATUS, CLEAR_FEATURE, SET_FEATURE, SET_ADDRESS = 0, 1, 3, 5
GET_DESCRIPTOR, GET_CONFIGURATION, SET_CONFIGURATION, GET_INTERFACE, SET_INTERFACE = 6, 8, 9, 10, 11
ENDPOINT_HALT, REMOTE_WAKEUP = 0, 1
"""Features."""


class Handshake(enum.Enum):
    """An answer without data: not now; never, until the host has put things right; no answer at all."""

    NAK = "nak"
    STALL = "stall"
    NONE = "none"


Answer = bytes | Handshake


class Stall(Exception):
    """A request that the device does not have."""


class Request(NamedTuple):
    """The eight bytes of a SETUP packet: bmRequestType, bRequest, wValue, wIndex, wLength."""

    kind: int
    number: int
    value: int
    where: int
    length: int

    @property
    def to_host(self) -> bool:
        """Data go to the host, if there are any."""
        return bool(self.kind & TO_HOST)


def request_of(packet: bytes) -> Request:
    """From the packet."""
    return Request(*struct.unpack("<BBHHH", packet))


@dataclass
class UsbState:
    """`next_address`: what SET_ADDRESS has asked for, from its status stage on; -1: nothing. `halted`: endpoints, a bit
    each, those of IN from bit 16 on. `setup`: the control transfer that is under way; `reply` is what it still has to
    give, `received` what it was given, `refused` that it stalls."""

    address: int = 0
    next_address: int = -1
    configuration: int = 0
    wakeup: bool = False
    halted: int = 0
    setup: bytes = b""
    reply: bytes = b""
    received: bytes = b""
    refused: bool = False


class UsbDevice(Device):
    """A device with one configuration of one interface. Subclasses give IDENTITY, INTERFACE, and what their endpoints
    do."""

    State: type[Any] = UsbState
    IDENTITY: descriptors.UsbIdentity
    INTERFACE: descriptors.Interface
    ATTRIBUTES = descriptors.ALWAYS_SET
    MILLIAMPERES = 100
    REQUESTS: Mapping[tuple[int, int], Callable[[Any, Request, bytes], bytes]] = {}
    """By bmRequestType and bRequest. Each is given the data that came with it and gives the data that are wanted;
    it raises Stall."""

    state: Any

    def __init__(self, machine: Machine, name: str) -> None:
        super().__init__(machine, name)
        self.ready: Callable[[], None] = lambda: None
        """To be called when an endpoint that had nothing to say has something now. The host controller's."""

    def bus_reset(self) -> None:
        """The host resets the bus: address 0, not configured. What happened to the device is forgotten."""
        self.state = self.State()

    # ---- packets ----

    def token(self, kind: int, endpoint: int, data: bytes = b"") -> Answer:
        """A packet for `endpoint`: SETUP and OUT bring `data`, IN asks for some. The answer to SETUP and OUT is b"" for
        an acknowledgement."""
        state = self.state
        if endpoint == 0:
            return self._control(kind, data)
        address = endpoint | (TO_HOST if kind == IN else 0)
        if kind == SETUP or not state.configuration or all(e.address != address for e in self.INTERFACE.endpoints):
            return Handshake.NONE
        if self.is_halted(address):
            return Handshake.STALL
        return self.send(endpoint) if kind == IN else self.receive(endpoint, data)

    def waits(self, kind: int, endpoint: int) -> bool:
        """Whether that packet would be answered by NAK now, and as long as nothing comes from outside."""
        return False

    def send(self, endpoint: int) -> Answer:
        """The host asks an endpoint for data."""
        return Handshake.STALL

    def receive(self, endpoint: int, data: bytes) -> Answer:
        """The host sends to an endpoint."""
        return Handshake.STALL

    def halt(self, address: int) -> None:
        """An endpoint stalls from now on, until the host clears that."""
        self.state.halted |= 1 << _bit(address)

    def is_halted(self, address: int) -> bool:
        """Whether it does."""
        return bool(self.state.halted >> _bit(address) & 1)

    # ---- control transfers ----

    def _control(self, kind: int, data: bytes) -> Answer:
        state = self.state
        if kind == SETUP:
            return self._begin(data)
        if not state.setup or state.refused:
            return Handshake.STALL
        request = request_of(state.setup)
        if kind == OUT and not request.to_host and len(state.received) < request.length:
            return self._take(request, data)
        if kind == IN and request.to_host:
            packet = state.reply[: self.IDENTITY.packet]
            state.reply = state.reply[len(packet) :]
            return bytes(packet)
        return self._end()

    def _begin(self, data: bytes) -> Answer:
        state = self.state
        state.setup = state.reply = state.received = b""
        if len(data) != 8:
            return Handshake.NONE
        state.setup, state.refused = data, False
        request = request_of(data)
        if request.to_host or request.length == 0:
            self._execute(request)
        return b""

    def _take(self, request: Request, data: bytes) -> Answer:
        state = self.state
        state.received += data
        if len(state.received) > MOST_RECEIVED:
            state.received, state.refused = b"", True
            return Handshake.STALL
        if len(state.received) >= request.length:
            self._execute(request)
        return b""

    def _execute(self, request: Request) -> None:
        state, handler = self.state, self.REQUESTS.get((request.kind, request.number))
        try:
            if handler is None:
                raise Stall
            state.reply = handler(self, request, state.received[: request.length])[: request.length]
        except Stall:
            state.refused = True

    def _end(self) -> Answer:
        """The status stage."""
        state = self.state
        state.setup = state.reply = state.received = b""
        if state.next_address >= 0:
            state.address, state.next_address = state.next_address, -1
        return b""

    # ---- requests that every device has ----

    def get_descriptor(self, request: Request, data: bytes) -> bytes:
        """GET_DESCRIPTOR of the device."""
        kind, index = request.value >> 8, request.value & 0xFF
        if kind == descriptors.DEVICE and index == 0:
            return descriptors.device(self.IDENTITY)
        if kind == descriptors.CONFIGURATION and index == 0:
            return descriptors.configuration(self.INTERFACE, self.ATTRIBUTES, self.MILLIAMPERES)
        texts = descriptors.strings(self.IDENTITY)
        text = descriptors.string(index, texts) if kind == descriptors.STRING else None
        if text is None:
            raise Stall
        return text

    def set_address(self, request: Request, data: bytes) -> bytes:
        """SET_ADDRESS: when the request has ended."""
        if request.value > 127:
            raise Stall
        self.state.next_address = request.value
        return b""

    def get_configuration(self, request: Request, data: bytes) -> bytes:
        """GET_CONFIGURATION."""
        return bytes([self.state.configuration])

    def set_configuration(self, request: Request, data: bytes) -> bytes:
        """SET_CONFIGURATION: there is number 1, and 0 for none."""
        if request.value > 1:
            raise Stall
        self.state.configuration, self.state.halted = request.value, 0
        self.configured()
        return b""

    def configured(self) -> None:
        """A configuration was chosen: endpoints begin anew."""

    def device_status(self, request: Request, data: bytes) -> bytes:
        """GET_STATUS of the device, which the bus feeds."""
        return bytes([self.state.wakeup << 1, 0])

    def interface_status(self, request: Request, data: bytes) -> bytes:
        """GET_STATUS of the interface."""
        return bytes(2)

    def endpoint_status(self, request: Request, data: bytes) -> bytes:
        """GET_STATUS of an endpoint."""
        return bytes([self.is_halted(request.where), 0])

    def device_feature(self, request: Request, data: bytes) -> bytes:
        """SET_FEATURE and CLEAR_FEATURE of the device: remote wakeup."""
        if request.value != REMOTE_WAKEUP or not self.ATTRIBUTES & descriptors.REMOTE_WAKEUP:
            raise Stall
        self.state.wakeup = request.number == SET_FEATURE
        return b""

    def endpoint_feature(self, request: Request, data: bytes) -> bytes:
        """SET_FEATURE and CLEAR_FEATURE of an endpoint: halt."""
        if request.value != ENDPOINT_HALT or request.where not in self._endpoints():
            raise Stall
        if request.number == SET_FEATURE:
            self.halt(request.where)
        else:
            self.state.halted &= ~(1 << _bit(request.where))
            self.resumed(request.where)
        return b""

    def resumed(self, address: int) -> None:
        """The host has cleared an endpoint's halt."""

    def _endpoints(self) -> tuple[int, ...]:
        return 0, TO_HOST, *(endpoint.address for endpoint in self.INTERFACE.endpoints)

    def get_interface(self, request: Request, data: bytes) -> bytes:
        """GET_INTERFACE: it has no other settings."""
        return bytes(1)

    def set_interface(self, request: Request, data: bytes) -> bytes:
        """SET_INTERFACE: to the only one."""
        if request.value or request.where:
            raise Stall
        return b""


def _bit(address: int) -> int:
    return (address & 15) + (16 if address & TO_HOST else 0)


UsbDevice.REQUESTS = {
    (0x80, GET_STATUS): UsbDevice.device_status,
    (0x81, GET_STATUS): UsbDevice.interface_status,
    (0x82, GET_STATUS): UsbDevice.endpoint_status,
    (0x00, CLEAR_FEATURE): UsbDevice.device_feature,
    (0x00, SET_FEATURE): UsbDevice.device_feature,
    (0x02, CLEAR_FEATURE): UsbDevice.endpoint_feature,
    (0x02, SET_FEATURE): UsbDevice.endpoint_feature,
    (0x00, SET_ADDRESS): UsbDevice.set_address,
    (0x80, GET_DESCRIPTOR): UsbDevice.get_descriptor,
    (0x80, GET_CONFIGURATION): UsbDevice.get_configuration,
    (0x00, SET_CONFIGURATION): UsbDevice.set_configuration,
    (0x81, GET_INTERFACE): UsbDevice.get_interface,
    (0x01, SET_INTERFACE): UsbDevice.set_interface,
}
