"""Requests of the PV block device: from the bytes in the ring to what is read or written.

Facts: xen/include/public/io/blkif.h. The layouts of a ring for front ends of 64 and of 32 bits, and ARM's, are known;
which one it is the front end says (`protocol`).
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from hv import abi
from hv.backend.granted import GrantedPage, NotGranted
from hv.disk.image import SECTOR, MediumError
from hv.physical import PAGE_SIZE

if TYPE_CHECKING:
    from hv.disk.disk import Disk
    from hv.domain import Domain

MAX_INDIRECT_SEGMENTS = 64
"""Segments of an indirect request that we offer: 256 KiB. With the longest ring a guest can have 32 MiB under way."""
PROTOCOLS: dict[str, str] = {
    str(abi.XEN_IO_PROTO_ABI_X86_64): "x86_64",
    str(abi.XEN_IO_PROTO_ABI_X86_32): "x86_32",
    str(abi.XEN_IO_PROTO_ABI_ARM): "arm",
}
"""Names in xenstore of the layouts of a ring."""
_LAST_SECTOR = PAGE_SIZE // SECTOR - 1
_SEGMENT = struct.Struct("<IBBxx")
assert _SEGMENT.size == abi.layout("blkif_request_segment").size
_PER_PAGE = PAGE_SIZE // _SEGMENT.size
_DATA_OPERATIONS = (abi.BLKIF_OP_READ, abi.BLKIF_OP_WRITE)


class _Bad(Exception):
    """The request is answered with BLKIF_RSP_ERROR."""


class Segment(NamedTuple):
    """Sectors `first` to `last`, both included, of a granted page."""

    ref: int
    first: int
    last: int

    @property
    def sectors(self) -> int:
        """How many."""
        return self.last - self.first + 1


class RingLayout:
    """Where the fields of requests and responses lie in the rings of one guest ABI."""

    def __init__(self, name: str) -> None:
        request, indirect = abi.layout("blkif_request", name), abi.layout("blkif_request_indirect", name)
        response = abi.layout("blkif_response", name)
        self.entry = abi.layout("blkif_sring_entry", name).size
        self.id = request.offset("id")
        assert self.id == indirect.offset("id") == abi.layout("blkif_request_discard", name).offset("id")
        self.sector = request.offset("sector_number")
        self.segments = request.offset("seg")
        self.indirect_op = indirect.offset("indirect_op")
        self.indirect_count = indirect.offset("nr_segments")
        self.indirect_sector = indirect.offset("sector_number")
        self.indirect_refs = indirect.offset("indirect_grefs")
        gap = response.offset("status") - response.offset("operation") - 1
        self._response = struct.Struct(f"<QB{gap}xh{response.size - response.offset('status') - 2}x")

    def response(self, request: bytes, operation: int, status: int) -> bytes:
        """The response to a request."""
        return self._response.pack(int.from_bytes(request[self.id : self.id + 8], "little"), operation, status)


@cache
def ring_layout(name: str) -> RingLayout:
    """The layout for a guest ABI (hv.abi)."""
    return RingLayout(name)


class Requests:
    """Carries out the requests of one front end. Nothing is remembered from one to the next."""

    def __init__(self, domain: Domain, disk: Disk, layout: RingLayout) -> None:
        self._domain = domain
        self._disk = disk
        self._layout = layout

    def answer(self, request: bytes) -> bytes:
        """Carry a request out, all of it, and make its response. What a guest may write there raises nothing."""
        operation = request[0]
        if operation == abi.BLKIF_OP_INDIRECT:
            operation = request[self._layout.indirect_op]
        try:
            status = self._carry_out(request)
        except (_Bad, NotGranted, MediumError):
            status = abi.BLKIF_RSP_ERROR
        return self._layout.response(request, operation, int(status))

    def _carry_out(self, request: bytes) -> int:
        layout, operation = self._layout, request[0]
        if operation in _DATA_OPERATIONS:
            count = request[1]
            if not 1 <= count <= abi.BLKIF_MAX_SEGMENTS_PER_REQUEST:
                raise _Bad
            end = layout.segments + count * _SEGMENT.size
            segments = [Segment(*fields) for fields in _SEGMENT.iter_unpack(request[layout.segments : end])]
            self._transfer(operation, _number(request, layout.sector, 8), segments)
        elif operation == abi.BLKIF_OP_INDIRECT:
            if request[layout.indirect_op] not in _DATA_OPERATIONS:
                raise _Bad
            sector = _number(request, layout.indirect_sector, 8)
            self._transfer(request[layout.indirect_op], sector, self._indirect_segments(request))
        elif operation == abi.BLKIF_OP_FLUSH_DISKCACHE:
            if request[1]:
                raise _Bad
            self._disk.flush()
        else:
            return int(abi.BLKIF_RSP_EOPNOTSUPP)
        return int(abi.BLKIF_RSP_OKAY)

    def _indirect_segments(self, request: bytes) -> list[Segment]:
        """The segments that lie in pages of their own."""
        layout = self._layout
        count = _number(request, layout.indirect_count, 2)
        if not 1 <= count <= MAX_INDIRECT_SEGMENTS:
            raise _Bad
        found: list[Segment] = []
        for page in range(-(-count // _PER_PAGE)):
            ref = _number(request, layout.indirect_refs + 4 * page, 4)
            length = min(count - len(found), _PER_PAGE) * _SEGMENT.size
            with GrantedPage(self._domain, ref, readonly=True) as held:
                found += [Segment(*fields) for fields in _SEGMENT.iter_unpack(held.read(0, length))]
        return found

    def _transfer(self, operation: int, sector: int, segments: list[Segment]) -> None:
        """Between the disk and the guest's pages. A write is done as a whole or not at all."""
        for segment in segments:
            if not segment.first <= segment.last <= _LAST_SECTOR:
                raise _Bad
        if operation == abi.BLKIF_OP_WRITE:
            self._disk.write(sector, b"".join(self._from_guest(segment) for segment in segments))
            return
        data, at = self._disk.read(sector, sum(segment.sectors for segment in segments)), 0
        for segment in segments:
            length = segment.sectors * SECTOR
            with GrantedPage(self._domain, segment.ref) as page:
                page.write(segment.first * SECTOR, data[at : at + length])
            at += length

    def _from_guest(self, segment: Segment) -> bytes:
        with GrantedPage(self._domain, segment.ref, readonly=True) as page:
            return page.read(segment.first * SECTOR, segment.sectors * SECTOR)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
