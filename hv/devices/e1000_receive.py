"""Reception of the 82540EM: which frames it takes, and how they lie in its descriptors' buffers.

Source: the manual of e1000_registers.py, chapters 3.2 and 13.5.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from hv.devices import e1000_registers as r
from hv.devices.nic import CRC, LONGEST_FRAME, SHORTEST_FRAME
from hv.net.checksum import checksum, pseudo_header, total
from hv.net.headers import TCP, TYPE_IPV4, UDP

if TYPE_CHECKING:
    from hv.devices.e1000 import E1000

DESCRIPTOR = 16
DONE, END, VLAN, UDP_CHECKED, TCP_CHECKED, IP_CHECKED = 0x01, 0x02, 0x08, 0x10, 0x20, 0x40
"""Status of a descriptor."""
TCP_WRONG, IP_WRONG = 0x20, 0x40
"""Errors of a descriptor."""
LONGEST = 16384
_WRITE_BACK = struct.Struct("<HHBBH")


def buffers(nic: E1000) -> int:
    """How many free descriptors the card has."""
    state = nic.state
    count = state.rdlen // DESCRIPTOR
    return (state.rdt - state.rdh) % count if count and state.rdh < count else 0


def buffer_size(rctl: int) -> int:
    """Bytes of each receive buffer."""
    return r.RX_BUFFER[rctl & r.SIZE_EXTENSION][rctl >> 16 & 3]


def wanted(nic: E1000, frame: bytes) -> bool:
    """Whether the card's filters let a frame in."""
    state, target = nic.state, frame[:6]
    rctl = state.rctl
    if rctl & r.VLAN_FILTER and is_tagged(nic, frame):
        tag = int.from_bytes(frame[14:16], "big") & 0xFFF
        if not state.vlans[tag >> 5] >> (tag & 31) & 1:
            return False
    if target == b"\xff" * 6:
        return bool(rctl & (r.BROADCAST | r.MULTICAST_ALL))
    if rctl & (r.MULTICAST_ALL if target[0] & 1 else r.UNICAST_ALL):
        return True
    low, high = int.from_bytes(target[:4], "little"), r.ADDRESS_VALID | int.from_bytes(target[4:], "little")
    addresses = state.addresses
    # Bits 17:16 of the high half choose which address is compared; only 0, the target's, ever is.
    if any(addresses[i + 1] & 0x8003FFFF == high and addresses[i] == low for i in range(0, 32, 2)):
        return True
    if not target[0] & 1:
        return False
    index = int.from_bytes(target[4:], "little") >> r.MULTICAST_SHIFT[rctl >> 12 & 3] & 0xFFF
    return bool(state.multicast[index >> 5] >> (index & 31) & 1)


def is_tagged(nic: E1000, frame: bytes) -> bool:
    """Whether a frame has a VLAN tag."""
    return int.from_bytes(frame[12:14], "big") == nic.state.vet & 0xFFFF and len(frame) >= 18


def sums(frame: bytes, rxcsum: int) -> tuple[int, int]:
    """Status and errors that say what was found of an IPv4 packet's checksums, as far as the driver wants them."""
    status = errors = 0
    start = 14
    header = (frame[start] & 15) * 4 if len(frame) > start else 0
    packet = frame[start:]
    if int.from_bytes(frame[12:14], "big") != TYPE_IPV4 or not 20 <= header <= len(packet) or packet[0] >> 4 != 4:
        return 0, 0
    length = int.from_bytes(packet[2:4], "big")
    if rxcsum & r.IP_SUM:
        status |= IP_CHECKED
        errors |= IP_WRONG if checksum(packet[:header]) else 0
    fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
    if not rxcsum & r.TCP_SUM or fragment or not header <= length <= len(packet):
        return status, errors
    protocol, payload = packet[9], packet[header:length]
    if protocol == TCP or (protocol == UDP and payload[6:8] != b"\0\0"):
        status |= TCP_CHECKED | (UDP_CHECKED if protocol == UDP else 0)
        pseudo = pseudo_header(packet[12:16], packet[16:20], protocol, len(payload))
        errors |= TCP_WRONG if checksum(pseudo + payload) else 0
    return status, errors


def receive(nic: E1000, frame: bytes) -> None:
    """A frame has come in by the cable."""
    state = nic.state
    if not state.rctl & r.RX_ENABLE or len(frame) < 14:
        return
    frame = frame.ljust(SHORTEST_FRAME, b"\0")
    tagged = is_tagged(nic, frame)
    size = len(frame) + CRC
    if size > (LONGEST if state.rctl & r.LONG else LONGEST_FRAME + 4 * tagged):
        nic.count(r.TOO_LONG, r.TOTAL_RX)
        return
    if not wanted(nic, frame):
        return
    status, special = 0, 0
    if tagged and state.ctrl & r.VME:
        status, special = VLAN, int.from_bytes(frame[14:16], "big")
        frame = frame[:12] + frame[16:]
    checked, errors = sums(frame, state.rxcsum) if state.rxcsum & (r.IP_SUM | r.TCP_SUM) else (0, 0)
    packet_sum = total(frame[state.rxcsum & 0xFF :])
    data = frame if state.rctl & r.STRIP_CRC else frame + zlib.crc32(frame).to_bytes(4, "little")
    _store(nic, data, _WRITE_BACK.pack(0, int.from_bytes(packet_sum.to_bytes(2, "big"), "little"),
                                       status | checked | DONE, errors, special), frame[:6])


def _store(nic: E1000, data: bytes, write_back: bytes, target: bytes) -> None:
    state = nic.state
    room = buffer_size(state.rctl)
    needed, free, count = -(-len(data) // room), buffers(nic), state.rdlen // DESCRIPTOR
    if needed > free:
        nic.count(r.TOTAL_RX, r.MISSED, r.NO_BUFFER, size=len(data), sizes=(r.TOTAL_RX_BYTES,))
        nic.cause(r.RXO)
        return
    base = state.rdbah << 32 | state.rdbal & ~0xF
    for at in range(0, len(data), room):
        piece = data[at : at + room]
        where = base + state.rdh * DESCRIPTOR
        nic.dma_write(int.from_bytes(nic.dma_read(where, 8), "little"), piece)
        last = END if at + room >= len(data) else 0
        nic.dma_write(where + 8, len(piece).to_bytes(2, "little") + write_back[2:4]
                      + bytes((write_back[4] | last,)) + write_back[5:])
        state.rdh = (state.rdh + 1) % count
    kinds = [r.TOTAL_RX, r.GOOD_RX]
    if target[0] & 1:
        kinds.append(r.BROADCAST_RX if target == b"\xff" * 6 else r.MULTICAST_RX)
    nic.count(*kinds, size=len(data), sizes=(r.TOTAL_RX_BYTES, r.GOOD_RX_BYTES))
    few = count >> (state.rctl >> 8 & 3) + 1
    nic.cause(r.RXT0 | (r.RXDMT0 if free - needed <= few else 0))
