"""Transmission of the 82540EM: descriptors to frames, checksums, and the cutting of large TCP segments (TSO).

Source: the manual of e1000_registers.py, chapters 3.3 to 3.6.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hv.devices import e1000_registers as r
from hv.devices.nic import SHORTEST_FRAME
from hv.net.checksum import checksum

if TYPE_CHECKING:
    from hv.devices.e1000 import E1000

DESCRIPTOR = 16
END, CHECKSUM, REPORT, EXTENDED, VLAN = 0x01, 0x04, 0x08, 0x20, 0x40
"""Commands of a descriptor."""
SEGMENTATION = 0x04
"""Of a data descriptor, the bit that CHECKSUM is in a legacy one."""
DONE = 0x01
IP_OPTION, TCP_OPTION = 0x01, 0x02
CONTEXT_TCP, CONTEXT_IP = 0x01, 0x02
AT_ONCE = 256
BYTES_AT_ONCE = 256 << 10
"""Descriptors and bytes that one access of the guest may cost; the rest follows by a timer."""
PAUSE_NS = 10_000
LONGEST_PACKET = (64 << 10) + 512
"""What is collected of a packet; the rest is lost."""
LEAST_MSS = 64
"""Smaller ones make no frame: a packet becomes a thousand frames at most."""


class Context(NamedTuple):
    """A context descriptor, taken apart; names of the manual."""

    ipcss: int
    ipcso: int
    ipcse: int
    tucss: int
    tucso: int
    tucse: int
    length: int
    status: int
    hdrlen: int
    mss: int

    @property
    def tucmd(self) -> int:
        """The command byte."""
        return self.length >> 24

    @property
    def paylen(self) -> int:
        """Bytes behind the headers."""
        return self.length & 0xFFFFF


_CONTEXT = struct.Struct("<BBHBBHIBBH")


def read_context(data: bytes) -> Context:
    """From the 16 bytes of the descriptor."""
    return Context(*_CONTEXT.unpack(data))


def run(nic: E1000) -> None:
    """Send what the ring holds, or part of it and the rest a little later."""
    state = nic.state
    count = state.tdlen // DESCRIPTOR
    state.resume_at = 0
    if not state.tctl & r.TX_ENABLE or state.tdh == state.tdt or max(state.tdh, state.tdt) >= count:
        return
    base = state.tdbah << 32 | state.tdbal & ~0xF
    causes, left, space = 0, AT_ONCE, BYTES_AT_ONCE
    while state.tdh != state.tdt and left > 0 and space > 0:
        first, end = state.tdh, state.tdt if state.tdt > state.tdh else count
        number = min(end - first, left)
        left -= number
        ring = nic.dma_read(base + first * DESCRIPTOR, number * DESCRIPTOR)
        for at in range(0, len(ring), DESCRIPTOR):
            descriptor = ring[at : at + DESCRIPTOR]
            space -= _descriptor(nic, descriptor)
            if descriptor[11] & REPORT:
                done = bytes((descriptor[12] | DONE,))
                nic.dma_write(base + first * DESCRIPTOR + at + 12, done)
                causes |= r.TXDW
            state.tdh = (state.tdh + 1) % count
            if space <= 0:
                break
    if state.tdh == state.tdt:
        causes |= r.TXQE
    else:
        state.resume_at = nic.machine.now_ns + PAUSE_NS
        nic.arm()
    nic.cause(causes)


def _descriptor(nic: E1000, descriptor: bytes) -> int:
    """Take in one descriptor; how many bytes it was."""
    state = nic.state
    address, lower, upper = struct.unpack("<QII", descriptor)
    command, extended = lower >> 24, bool(lower >> 24 & EXTENDED)
    if extended and lower >> 20 & 15 == 0:
        state.context = descriptor
        return 0
    length: int = lower & (0xFFFFF if extended else 0xFFFF)
    length = min(length, max(LONGEST_PACKET - len(state.packet), 0))
    if length:
        state.packet += nic.dma_read(address, length)
    if state.packet_options < 0:
        state.packet_options = (command << 8 | upper >> 8 & 0xFF) if extended else 0
    if command & END:
        packet, options = state.packet, state.packet_options
        state.packet, state.packet_options = b"", -1
        tag = upper >> 16 if command & VLAN and state.ctrl & r.VME else -1
        if extended:
            _finish(nic, packet, options, tag)
        else:
            if command & CHECKSUM:
                packet = _with_sum(packet, upper >> 8 & 0xFF, 0, lower >> 16 & 0xFF)
            _send(nic, packet, tag)
    return length + DESCRIPTOR


def _with_sum(packet: bytes | bytearray, start: int, end: int, at: int) -> bytes:
    """The packet with the checksum of its bytes from `start` to `end` (0: to its end) at `at`."""
    last = end + 1 if end else len(packet)
    if at + 2 > len(packet) or start >= min(last, len(packet)):
        return bytes(packet)
    value = checksum(bytes(packet[start:last]))
    return bytes(packet[:at]) + value.to_bytes(2, "big") + bytes(packet[at + 2 :])


def _summed(packet: bytes | bytearray, options: int, context: Context) -> bytes:
    if options & TCP_OPTION:
        packet = _with_sum(packet, context.tucss, context.tucse, context.tucso)
    if options & IP_OPTION:
        packet = _with_sum(packet, context.ipcss, context.ipcse, context.ipcso)
    return bytes(packet)


def _finish(nic: E1000, packet: bytes, options: int, tag: int) -> None:
    """A packet of data descriptors is whole."""
    context = read_context(nic.state.context)
    if not options >> 8 & SEGMENTATION:
        _send(nic, _summed(packet, options, context), tag)
        return
    header, mss = packet[: context.hdrlen], context.mss
    payload = packet[context.hdrlen : context.hdrlen + context.paylen]
    if mss < LEAST_MSS or not payload:
        return
    nic.count(r.TSO_TX)
    for number, at in enumerate(range(0, len(payload), mss)):
        segment = bytearray(header + payload[at : at + mss])
        _adjust(segment, context, number, at, at + mss >= len(payload))
        _send(nic, _summed(segment, options, context), tag)


def _adjust(segment: bytearray, context: Context, number: int, offset: int, last: bool) -> None:
    """The headers of the segment that starts `offset` bytes into the payload."""
    ip, upper, size = context.ipcss, context.tucss, len(segment)
    if context.tucmd & CONTEXT_IP:
        _put(segment, ip + 2, 2, size - ip)
        _put(segment, ip + 4, 2, _get(segment, ip + 4, 2) + number)
    else:
        _put(segment, ip + 4, 2, size - ip - 40)
    if context.tucmd & CONTEXT_TCP:
        _put(segment, upper + 4, 4, _get(segment, upper + 4, 4) + offset)
        flags = _get(segment, upper + 13, 1)
        flags &= 0xFF if last else ~0x09     # FIN and PSH
        flags &= 0xFF if number == 0 else ~0x80  # CWR
        _put(segment, upper + 13, 1, flags)
    else:
        _put(segment, upper + 4, 2, size - upper)
    # The driver's pseudo header has no length: that of each segment is added to it.
    partial = _get(segment, context.tucso, 2) + size - upper
    _put(segment, context.tucso, 2, (partial & 0xFFFF) + (partial >> 16))


def _get(data: bytearray, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _put(data: bytearray, at: int, size: int, value: int) -> None:
    """Write a field, if it lies in the packet: the offsets are the guest's."""
    if at + size <= len(data):
        data[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "big")


def _send(nic: E1000, frame: bytes, tag: int) -> None:
    state = nic.state
    if tag >= 0 and len(frame) >= 12:
        frame = frame[:12] + (state.vet & 0xFFFF).to_bytes(2, "big") + tag.to_bytes(2, "big") + frame[12:]
    if state.tctl & r.PAD:
        frame = frame.ljust(SHORTEST_FRAME, b"\0")
    if len(frame) < 14:
        return
    kinds = [r.GOOD_TX, r.TOTAL_TX]
    if frame[0] & 1:
        kinds.append(r.BROADCAST_TX if frame[:6] == b"\xff" * 6 else r.MULTICAST_TX)
    nic.count(*kinds, size=len(frame), sizes=(r.GOOD_TX_BYTES, r.TOTAL_TX_BYTES))
    if state.rctl & r.LOOPBACK or state.phy[0] & r.PHY_LOOPBACK:
        nic.accept(frame)
    else:
        nic.transmit(frame)
