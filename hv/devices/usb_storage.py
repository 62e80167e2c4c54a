"""A USB disk: SCSI commands over two bulk endpoints (bulk-only transport).

    command (31 bytes, OUT) -> data, either way -> status (13 bytes, IN) -> command ...

Data go in packets of 64 bytes; what is read from the disk or collected for it is kept in pieces of PIECE bytes. What
host and device do not agree on ends as the tables of the specification have it: fewer data with a short packet or a
halted endpoint, more data with a phase error. A command block that is none halts both endpoints until the host resets
the transport.

Source: USB Mass Storage Class Bulk-Only Transport 1.0, chapters 3, 5 and 6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from hv.devices import scsi
from hv.devices.device import Machine
from hv.devices.scsi_disk import ScsiDisk
from hv.devices.usb import IN, Answer, Handshake, Request, UsbDevice, UsbState
from hv.devices.usb_descriptors import BULK, TO_HOST, Endpoint, Interface, UsbIdentity
from hv.disk.disk import Disk
from hv.disk.image import MediumError

STORAGE_CLASS, SCSI_TRANSPARENT, BULK_ONLY = 8, 6, 0x50
ENDPOINT_IN, ENDPOINT_OUT = TO_HOST | 1, 2
PACKET, PIECE = 64, 4096
RESET, MOST_UNIT = 0xFF, 0xFE
"""Requests of the class."""
_COMMAND, _STATUS = struct.Struct("<4sIIBBB16s"), struct.Struct("<4sIIB")
COMMAND_MARK, STATUS_MARK = b"USBC", b"USBS"
PASSED, FAILED, PHASE_ERROR = 0, 1, 2


@dataclass
class StorageState(scsi.ScsiState, UsbState):
    """`stage`: what comes next: command, in, out, status. `tag` and `expected` are the host's, of the command block;
    `length` bytes are to be transferred, of which `moved` have been. `buffer` holds some of them: those from `buffered`
    on, to the host, or those that have not been written. `first`: the block where they begin. `lost`: only a reset
    helps."""

    stage: str = "command"
    tag: int = 0
    expected: int = 0
    length: int = 0
    moved: int = 0
    first: int = 0
    buffer: bytes = b""
    buffered: int = 0
    result: int = PASSED
    lost: bool = False


class UsbStorage(ScsiDisk, UsbDevice):
    """A disk on the bus."""

    State: type[Any] = StorageState
    INTERFACE = Interface(
        (STORAGE_CLASS, SCSI_TRANSPARENT, BULK_ONLY),
        (Endpoint(ENDPOINT_IN, BULK, PACKET), Endpoint(ENDPOINT_OUT, BULK, PACKET)),
    )
    PRODUCT = "USB HARDDISK"
    disk: Disk

    def __init__(self, machine: Machine, disk: Disk, number: int = 0) -> None:
        super().__init__(machine, storage_name(number))
        self.disk = disk
        self.serial = f"XLUSB{number:07}"  # drivers want twelve digits
        self.IDENTITY = UsbIdentity(0x46F4, 0x0001, "USB Disk", self.serial, PACKET)

    # ---- the transport ----

    def receive(self, endpoint: int, data: bytes) -> Answer:
        """A command block, or data for the disk."""
        state = self.state
        if state.stage == "out":
            self._collect(data)
        elif state.stage == "command":
            self._command(data)
        else:
            self._lose()
            return Handshake.STALL
        return b""

    def send(self, endpoint: int) -> Answer:
        """Data, or how a command has ended."""
        state = self.state
        if state.stage == "in":
            return self._give()
        if state.stage != "status":
            return Handshake.NAK
        state.stage = "command"
        return _STATUS.pack(STATUS_MARK, state.tag, state.expected - state.moved, state.result)

    def waits(self, kind: int, endpoint: int) -> bool:
        """Nothing is to be sent before a command comes."""
        state = self.state
        asked = kind == IN and TO_HOST | endpoint == ENDPOINT_IN
        return asked and state.stage in ("command", "out") and not self.is_halted(ENDPOINT_IN)

    def _lose(self) -> None:
        self.state.lost = True
        self.halt(ENDPOINT_IN)
        self.halt(ENDPOINT_OUT)

    def _command(self, data: bytes) -> None:
        state = self.state
        if len(data) != _COMMAND.size:
            self._lose()
            return
        mark, tag, expected, flags, unit, size, packet = _COMMAND.unpack(data)
        if mark != COMMAND_MARK or unit or not 1 <= size <= 16:
            self._lose()
            return
        state.tag, state.expected, state.result = tag, expected, PASSED
        state.length = state.moved = state.buffered = 0
        state.buffer = b""
        reply = self.perform(packet[:size].ljust(16, b"\0"))
        if reply is None:
            state.result = FAILED
        else:
            self._agree(reply, bool(flags & TO_HOST))
        self._start(bool(flags & TO_HOST))

    def _agree(self, reply: scsi.Reply, to_host: bool) -> None:
        """How much goes over the bus: what the host expects and the command has."""
        state = self.state
        length = self.length(reply)
        if length > state.expected or (length and reply.writes == to_host):
            state.result = PHASE_ERROR
        if (length and reply.writes == to_host) or (reply.writes and length > state.expected):
            length = 0
        state.length, state.buffer, state.first = min(length, state.expected), reply.data, reply.first

    def _start(self, to_host: bool) -> None:
        state = self.state
        state.stage = "status" if state.expected == 0 else "in" if to_host else "out"
        if state.expected and not state.length:
            self._cut(ENDPOINT_IN if to_host else ENDPOINT_OUT)

    def _cut(self, address: int) -> None:
        """The transfer ends here, before the host expects it."""
        self._finish()
        self.halt(address)

    def _finish(self) -> None:
        """All has been transferred."""
        self.state.stage, self.state.buffer = "status", b""

    def _give(self) -> Answer:
        state = self.state
        if state.moved - state.buffered >= len(state.buffer) and not self._fetch():
            return Handshake.STALL
        at = state.moved - state.buffered
        packet = bytes(state.buffer[at : at + min(PACKET, state.length - state.moved)])
        state.moved += len(packet)
        if state.moved == state.length:
            if state.moved < state.expected and len(packet) == PACKET:
                self._cut(ENDPOINT_IN)
            else:
                self._finish()
        return packet

    def _fetch(self) -> bool:
        """Read the next piece; False: it cannot be read, and the endpoint is halted."""
        state = self.state
        size = min(PIECE, state.length - state.moved)
        try:
            state.buffer = self.read_medium(state.first, state.moved, size)
        except MediumError:
            self._fail(scsi.UNREADABLE, ENDPOINT_IN)
            return False
        state.buffered = state.moved
        return True

    def _fail(self, sense: scsi.Sense, address: int) -> None:
        self.state.sense, self.state.result = sense, FAILED
        self._cut(address)

    def _collect(self, data: bytes) -> None:
        state = self.state
        taken = data[: state.length - state.moved]
        state.buffer += taken
        state.moved += len(taken)
        whole = len(state.buffer) // self.BLOCK * self.BLOCK
        if len(state.buffer) >= PIECE or state.moved == state.length:
            start = state.first + (state.moved - len(state.buffer)) // self.BLOCK
            try:
                self.medium().write(start, bytes(state.buffer[:whole]))
            except MediumError:
                self._fail(scsi.UNWRITABLE, ENDPOINT_OUT)
                return
            state.buffer = state.buffer[whole:]
        if state.moved == state.length:
            if state.moved < state.expected:
                self._cut(ENDPOINT_OUT)
            else:
                self._finish()

    # ---- requests ----

    def configured(self) -> None:
        """The transport begins anew."""
        state = self.state
        state.stage, state.buffer, state.lost = "command", b"", False

    def resumed(self, address: int) -> None:
        """A halt is cleared; not for good without a reset after a command block that was none."""
        if self.state.lost:
            self.halt(address)

    def transport_reset(self, request: Request, data: bytes) -> bytes:
        """Bulk-only mass storage reset: the next packet is a command block. Endpoints stay halted until the host clears
        that."""
        self.configured()
        return b""

    def most_unit(self, request: Request, data: bytes) -> bytes:
        """Get max LUN: unit 0 is the only one."""
        return bytes(1)

    # ---- state: with the disk's ----

    def save(self) -> tuple[Any, ...]:
        """All that it remembers, and what was written to the disk."""
        return (*super().save(), self.disk.save())

    def load(self, saved: tuple[Any, ...]) -> None:
        """Become what save() described."""
        super().load(saved[:-1])
        self.disk.load(saved[-1])


def storage_name(number: int) -> str:
    """The name of a USB disk among a domain's services."""
    return f"usb-disk{number}"


UsbStorage.REQUESTS = {
    **UsbDevice.REQUESTS,
    (0x21, RESET): UsbStorage.transport_reset,
    (0xA1, MOST_UNIT): UsbStorage.most_unit,
}
