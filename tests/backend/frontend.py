"""Pretended front ends: what a guest's driver does, done to a domain that does not run.

The domain is a real one, launched and never run, so grants, event channels, page types and xenstore are the
hypervisor's own. `guest()` makes it; `BlockFront` and `NetFront` are drivers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from hv import abi, evtchn, grant
from hv.backend.block_requests import RingLayout
from hv.backend.xenbus import XenbusDevice
from hv.domain import Domain
from hv.native import lib
from hv.testing.build import build_guest, find_guest
from hv.testing.disks import NumberedImage
from hv.toolstack.backends import backends_of
from hv.toolstack.launch import Guest, GuestConfig, launch
from hv.xenstore.errors import StoreError

PAGE = 4096
FREE_GFN = 0x400
"""Memory of a translated domain that nothing else is in, as long as it does not run."""


def guest(beside: Guest | None = None, name: str = "guest") -> Guest:
    """A domain that has not run."""
    return launch(
        build_guest(find_guest("hello")), GuestConfig(memory_mib=8, machine_mib=32, name=name), beside=beside
    )


def numbered(sectors: int = 64) -> NumberedImage:
    """A disk whose sectors hold their numbers."""
    return NumberedImage(sectors)


class Front:
    """What drivers have in common: pages, grants, nodes."""

    def __init__(self, domain: Domain, device: XenbusDevice) -> None:
        self.domain = domain
        self.device = device
        self.kept: dict[int, int] = {}
        """Frames by grant reference."""
        self._next = 900 * len(backends_of(domain).devices)  # each driver has references of its own
        t = grant.table(domain.hv.native, domain.c)
        grant.grow(t, 8)

    def page(self, *, readonly: bool = False, domid: int = 0) -> int:
        """A fresh page, granted: its reference."""
        if not self.domain.translated:
            (frame,) = self.domain.alloc_frames(1)
            return self.grant(frame, readonly=readonly, domid=domid)
        gfn = FREE_GFN + self._next
        ref = self.grant(gfn, readonly=readonly, domid=domid)
        frame = self.domain.frame_of(gfn)
        assert frame is not None
        self.kept[ref] = frame
        return ref

    def grant(self, frame: int, *, readonly: bool = False, domid: int = 0) -> int:
        """Grant a frame."""
        self._next += 1
        ref = self._next
        flags = abi.GTF_permit_access | (abi.GTF_readonly if readonly else 0)
        self.set_entry(ref, flags, domid, frame)
        self.kept[ref] = frame
        return ref

    def set_entry(self, ref: int, flags: int, domid: int, frame: int) -> None:
        """Write an entry of the grant table, of version 1."""
        t = grant.table(self.domain.hv.native, self.domain.c)
        t.set_raw(ref, struct.pack("<HHI", flags, domid, frame))

    def revoke(self, ref: int) -> None:
        """Take a grant back."""
        self.set_entry(ref, 0, 0, 0)

    def entry_flags(self, ref: int) -> int:
        """The flags of an entry, with Xen's marks."""
        return grant.table(self.domain.hv.native, self.domain.c).status(ref)

    def read(self, ref: int, offset: int = 0, length: int = PAGE) -> bytes:
        """Look into a page."""
        return self.domain.read(self.kept[ref] * PAGE + offset, length)

    def write(self, ref: int, offset: int, data: bytes) -> None:
        """Write into a page."""
        self.domain.write(self.kept[ref] * PAGE + offset, data)

    def channel(self) -> int:
        """An event channel for domain 0."""
        return evtchn.alloc_unbound(self.domain.hv.native, self.domain.c, 0)

    def pending(self, port: int) -> bool:
        """Whether an event has come; it is taken."""
        c, d = self.domain.hv.native, self.domain.c
        was = bool(lib.hv_evtchn_is_pending(c, d, port))
        lib.hv_evtchn_clear_pending(c, d, port)
        return was

    def send(self, port: int) -> None:
        """Send an event to the back end."""
        if lib.hv_evtchn_send(self.domain.hv.native, self.domain.c, port) == lib.HV_EVTCHN_HOST:
            self.domain.host_event(port)

    def set(self, **nodes: object) -> None:
        """Write nodes of the front end, as the guest; xenstore is served."""
        backends = backends_of(self.domain)
        for name, value in nodes.items():
            path = f"{self.device.front}/{name.replace('_', '-')}"
            backends.store.write(self.domain.domid, path, str(value).encode())
        backends.flush()

    def get(self, path: str) -> str:
        """A node below the back end's; empty when there is none."""
        try:
            return backends_of(self.domain).store.read(self.domain.domid, f"{self.device.back}/{path}").decode()
        except StoreError:
            return ""

    @property
    def error(self) -> str:
        """What the back end has said when it gave up."""
        path = f"/local/domain/0/error/backend/{self.device.token}/error"
        try:
            return backends_of(self.domain).store.read(0, path).decode()
        except StoreError:
            return ""

    def state(self, state: int) -> int:
        """Change the front end's state; the back end's then."""
        self.set(state=int(state))
        return int(self.get("state") or 0)


class Ring:
    """A ring as the guest has it, over granted pages."""

    def __init__(self, front: Front, pages: int, entry: int) -> None:
        self.front, self.entry = front, entry
        self.refs = [front.page() for _ in range(pages)]
        self.size = 1 << ((pages * PAGE - 64) // entry).bit_length() - 1
        self.req_prod = self.rsp_cons = 0
        self.set_index("req_event", 1)
        self.set_index("rsp_event", 1)

    def _at(self, offset: int) -> tuple[int, int]:
        return self.refs[offset // PAGE], offset % PAGE

    def put_bytes(self, offset: int, data: bytes) -> None:
        """Write, over a page's end where it lies so."""
        for i, byte in enumerate(data):
            ref, at = self._at(offset + i)
            self.front.write(ref, at, bytes((byte,)))

    def get_bytes(self, offset: int, length: int) -> bytes:
        """Read."""
        return b"".join(self.front.read(*self._at(offset + i), 1) for i in range(length))

    def index(self, name: str) -> int:
        """One of the four indices."""
        return int.from_bytes(self.get_bytes(abi.layout("blkif_sring").offset(name), 4), "little")

    def set_index(self, name: str, value: int) -> None:
        """Set one."""
        self.put_bytes(abi.layout("blkif_sring").offset(name), (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def push(self, *requests: bytes) -> None:
        """Put requests into the ring, and show them."""
        for request in requests:
            self.put_bytes(64 + self.req_prod % self.size * self.entry, request)
            self.req_prod += 1
        self.set_index("req_prod", self.req_prod)

    def responses(self, length: int) -> list[bytes]:
        """Take the responses that have come, and ask for an event for the next."""
        found = []
        while self.rsp_cons != self.index("rsp_prod"):
            found.append(self.get_bytes(64 + self.rsp_cons % self.size * self.entry, length))
            self.rsp_cons = (self.rsp_cons + 1) & 0xFFFFFFFF
        self.set_index("rsp_event", self.rsp_cons + 1)
        return found


class BlockFront(Front):
    """A driver of one disk."""

    def __init__(self, domain: Domain, device: XenbusDevice, abi_name: str = "x86_64", order: int = 0) -> None:
        super().__init__(domain, device)
        self.abi_name = abi_name
        self.layout = RingLayout(abi_name)
        self.order = order
        self.ring: Ring
        self.port = 0

    def connect(self, **more: object) -> int:
        """Write what a driver writes; the back end's state then."""
        self.ring = Ring(self, 1 << self.order, self.layout.entry)
        self.port = self.channel()
        self.name_ring()
        self.set(event_channel=self.port, protocol=f"{self.abi_name}-abi", **more)
        return self.state(abi.XenbusStateInitialised)

    def name_ring(self) -> None:
        """Say where the ring is."""
        if self.order == 0:
            self.set(ring_ref=self.ring.refs[0])
        else:
            self.set(ring_page_order=self.order, **{f"ring_ref{i}": ref for i, ref in enumerate(self.ring.refs)})

    def request(
        self, operation: int, sector: int, segments: Sequence[tuple[int, int, int]] = (), id: int = 7,
        count: int | None = None,
    ) -> bytes:  # fmt: skip
        """A request; segments are (grant reference, first sector, last sector)."""
        fields = {
            "operation": operation, "nr_segments": len(segments) if count is None else count, "handle": 0, "id": id,
            "sector_number": sector,
        }  # fmt: skip
        data = abi.layout("blkif_request", self.abi_name).pack(fields)
        at = self.layout.segments
        packed = b"".join(struct.pack("<IBBxx", *segment) for segment in segments[:11])
        return data[:at] + packed + data[at + len(packed) :]

    def indirect(self, operation: int, sector: int, refs: Sequence[int], count: int, id: int = 9) -> bytes:
        """An indirect request; `refs`: pages of segments."""
        return abi.layout("blkif_request_indirect", self.abi_name).pack({
            "operation": abi.BLKIF_OP_INDIRECT, "indirect_op": operation, "nr_segments": count, "id": id,
            "sector_number": sector, "indirect_grefs": [*refs, *[0] * (8 - len(refs))],
        })  # fmt: skip

    def do(self, *requests: bytes) -> list[tuple[int, int, int]]:
        """Have requests carried out: (id, operation, status) of each response."""
        self.ring.push(*requests)
        self.send(self.port)
        return self.answers()

    def answers(self) -> list[tuple[int, int, int]]:
        """The responses that have come."""
        layout = abi.layout("blkif_response", self.abi_name)
        found: list[dict[str, Any]] = [layout.unpack(data) for data in self.ring.responses(layout.size)]
        return [(one["id"], one["operation"], one["status"]) for one in found]

    def status(self, request: bytes) -> int:
        """Have one request carried out: its status."""
        ((_, _, status),) = self.do(request)
        return status


class NetFront(Front):
    """A driver of one interface."""

    def __init__(self, domain: Domain, device: XenbusDevice) -> None:
        super().__init__(domain, device)
        self.tx: Ring
        self.rx: Ring
        self.tx_port = self.rx_port = 0
        self.posted: dict[int, int] = {}

    def connect(self, *, split: bool = True, sg: int = 1, **more: object) -> int:
        """Write what a driver writes; the back end's state then."""
        self.tx, self.rx = Ring(self, 1, 12), Ring(self, 1, 8)
        self.tx_port = self.channel()
        self.rx_port = self.channel() if split else self.tx_port
        ports = {"event_channel_tx": self.tx_port, "event_channel_rx": self.rx_port}
        self.set(**(ports if split else {"event_channel": self.tx_port}))
        nodes = {"request_rx_copy": 1, "feature_sg": sg, **more}
        self.set(tx_ring_ref=self.tx.refs[0], rx_ring_ref=self.rx.refs[0], **nodes)
        return self.state(abi.XenbusStateConnected)

    def post(self, count: int = 1) -> None:
        """Give buffers for receiving."""
        requests = []
        for i in range(count):
            id = self.rx.req_prod + i & 0xFFFF
            self.posted[id] = self.page()
            requests.append(struct.pack("<HxxI", id, self.posted[id]))
        self.rx.push(*requests)
        self.send(self.rx_port)

    def transmit(self, frame: bytes, *, flags: int = 0, pieces: int = 1, extra: bytes = b"") -> list[tuple[int, int]]:
        """Send a frame in several slots: (id, status) of each response."""
        step = -(-len(frame) // pieces)
        parts = [frame[at : at + step] for at in range(0, len(frame), step)] or [b""]
        requests = []
        for number, part in enumerate(parts):
            ref = self.page(readonly=True)
            self.write(ref, 100, part)
            more = abi.NETTXF_more_data if number + 1 < len(parts) else 0
            size = len(frame) if number == 0 else len(part)
            bits = more | (flags if number == 0 else 0)
            requests.append(struct.pack("<IHHHH", ref, 100, bits, number, size))
            if number == 0 and extra:
                requests.append(extra)
        return self.transmit_raw(*requests)

    def transmit_raw(self, *requests: bytes) -> list[tuple[int, int]]:
        """Send slots as they are."""
        self.tx.push(*requests)
        self.send(self.tx_port)
        found: list[tuple[int, int]] = [struct.unpack("<Hh", data) for data in self.tx.responses(4)]
        return found

    def received(self) -> list[bytes]:
        """The frames that have come."""
        frames, frame = [], b""
        for data in self.rx.responses(8):
            id, offset, flags, status = struct.unpack("<HHHh", data)
            assert status >= 0, status
            frame += self.read(self.posted.pop(id), offset, status)
            if not flags & abi.NETRXF_more_data:
                frames.append(frame)
                frame = b""
        return frames
