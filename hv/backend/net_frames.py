"""Frames in the rings of the PV network device: gathered from transmit requests, and scattered over receive requests.

Facts: xen/include/public/io/netif.h. A frame takes one or several slots of the ring; behind its first slot there may be
slots with further information (`netif_extra_info`).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hv import abi
from hv.backend.granted import GrantedPage, NotGranted
from hv.net.checksum import checksum, pseudo_header
from hv.net.headers import ETHERNET, MORE_FRAGMENTS, OFFSET, TCP, TYPE_IPV4, UDP
from hv.net.port import SHORTEST
from hv.physical import PAGE_SIZE
from hv.shared_ring import RingError

if TYPE_CHECKING:
    from hv.backend.ring import OpenRing
    from hv.domain import Domain

TX_REQUEST, TX_RESPONSE = struct.Struct("<IHHHH"), struct.Struct("<Hh")
RX_REQUEST, RX_RESPONSE = struct.Struct("<HxxI"), struct.Struct("<HHHh")
assert TX_REQUEST.size == abi.layout("netif_tx_request").size
assert TX_RESPONSE.size == abi.layout("netif_tx_response").size
assert RX_REQUEST.size == abi.layout("netif_rx_request").size
assert RX_RESPONSE.size == abi.layout("netif_rx_response").size
TX_ENTRY, RX_ENTRY = abi.layout("netif_tx_sring_entry").size, abi.layout("netif_rx_sring_entry").size
MAX_SLOTS = 18
"""Slots that the data of one frame may take: what netif.h promises front ends."""
_EXTRA_FLAGS = abi.layout("netif_extra_info").offset("flags")
_CHECKSUM_AT = {TCP: 16, UDP: 6}
_IPV4_HEADER = 20


class TxRequest(NamedTuple):
    """A slot with a part of a frame: `size` bytes at `offset` of a granted page; of the first slot `size` is the whole
    frame's."""

    ref: int
    offset: int
    flags: int
    id: int
    size: int


class TxPacket(NamedTuple):
    """The slots of one frame: requests, and how many slots with further information lie behind the first one."""

    requests: tuple[TxRequest, ...]
    extras: int


# ---- from the guest ----


def take_packet(ring: OpenRing, waiting: int) -> tuple[TxPacket, int]:
    """The next frame's slots, and how many requests are left of those that wait. RingError: they end in the middle."""
    def take() -> bytes:
        nonlocal waiting
        if not waiting:
            raise RingError("a frame goes on in a slot that there is not")
        waiting -= 1
        return ring.take()

    requests = [TxRequest(*TX_REQUEST.unpack(take()))]
    extras = 0
    more = requests[0].flags & abi.NETTXF_extra_info
    while more:
        extras += 1
        more = take()[_EXTRA_FLAGS] & abi.XEN_NETIF_EXTRA_FLAG_MORE
    while requests[-1].flags & abi.NETTXF_more_data:
        requests.append(TxRequest(*TX_REQUEST.unpack(take())))
    return TxPacket(tuple(requests), extras), waiting


def gather(domain: Domain, packet: TxPacket) -> bytes | None:
    """The frame, its checksum filled in where the guest has left that to us. None: it is malformed, or asks for what we
    have not offered (extras are segmentation, multicast control and the like)."""
    first = packet.requests[0]
    lengths = [request.size for request in packet.requests]
    lengths[0] -= sum(lengths[1:])
    ends = (request.offset + length for request, length in zip(packet.requests, lengths, strict=True))
    if packet.extras or len(lengths) > MAX_SLOTS or lengths[0] < 0 or first.size < SHORTEST or max(ends) > PAGE_SIZE:
        return None
    parts = []
    try:
        for request, length in zip(packet.requests, lengths, strict=True):
            with GrantedPage(domain, request.ref, readonly=True) as page:
                parts.append(page.read(request.offset, length))
    except NotGranted:
        return None
    frame = b"".join(parts)
    return fill_checksum(frame) if first.flags & abi.NETTXF_csum_blank else frame


def put_responses(ring: OpenRing, packet: TxPacket, status: int) -> None:
    """Give a frame's slots back to the guest."""
    for number, request in enumerate(packet.requests):
        ring.put(TX_RESPONSE.pack(request.id, status))
        for _ in range(packet.extras if number == 0 else 0):
            ring.put(TX_RESPONSE.pack(0, abi.NETIF_RSP_NULL))


def fill_checksum(frame: bytes) -> bytes:
    """The frame with the checksum of its TCP or UDP filled in, over IPv4; any other frame as it is."""
    packet = frame[ETHERNET:]
    if int.from_bytes(frame[12:14], "big") != TYPE_IPV4 or len(packet) < _IPV4_HEADER or packet[0] >> 4 != 4:
        return frame
    header, length = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    at = _CHECKSUM_AT.get(packet[9])
    fragment = int.from_bytes(packet[6:8], "big") & (MORE_FRAGMENTS | OFFSET)
    if at is None or fragment or not _IPV4_HEADER <= header <= header + at + 2 <= length <= len(packet):
        return frame
    segment = packet[header:length]
    blank = segment[:at] + b"\0\0" + segment[at + 2 :]
    pseudo = pseudo_header(packet[12:16], packet[16:20], packet[9], len(segment))
    value = checksum(pseudo + blank)
    if packet[9] == UDP:
        value = value or 0xFFFF  # 0 would say that there is none
    place = ETHERNET + header + at
    return frame[:place] + value.to_bytes(2, "big") + frame[place + 2 :]


# ---- to the guest ----


def slots_for(length: int) -> int:
    """Receive slots that a frame takes: each has a page."""
    return max(-(-length // PAGE_SIZE), 1)


def scatter(domain: Domain, ring: OpenRing, frame: bytes) -> None:
    """Put a frame into the next receive slots, of which there must be enough. A page that the guest has not granted
    makes a slot with an error, as netback has it."""
    starts = range(0, len(frame), PAGE_SIZE)
    for start in starts:
        id, ref = RX_REQUEST.unpack(ring.take())
        part = frame[start : start + PAGE_SIZE]
        status = len(part)
        try:
            with GrantedPage(domain, ref) as page:
                page.write(0, part)
        except NotGranted:
            status = int(abi.NETIF_RSP_ERROR)
        flags = abi.NETRXF_more_data if start != starts[-1] else 0
        ring.put(RX_RESPONSE.pack(id, 0, flags, status))
