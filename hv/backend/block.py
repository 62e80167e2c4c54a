"""The back end of PV disks, as xen-blkback is on Linux.

Facts: xen/include/public/io/blkif.h. A request is complete when the front end's send of the event returns: everything
is done at once, in the order of the ring. So there is never a request under way that a snapshot would have to keep, a
run needs no model of a disk's speed to be the same every time, and grants are held by nobody while the guest runs. A
guest cannot tell it from a disk that is very fast.

Offered: rings of up to 4 pages, indirect requests, flush. Not offered: write barriers (flush has taken their place),
discard (an overlay has nothing to give back), persistent grants and several queues (both save copies or locks that we
have none of).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi
from hv.backend.block_requests import MAX_INDIRECT_SEGMENTS, PROTOCOLS, Requests, ring_layout
from hv.backend.granted import GrantedArea
from hv.backend.ring import OpenRing, RingState
from hv.backend.xenbus import WORDS, BackendError, Bus, Twin, XenbusDevice
from hv.disk.disk import Disk
from hv.disk.image import SECTOR

if TYPE_CHECKING:
    from hv.domain import Domain

MAX_RING_ORDER = 2


class BlockLink(NamedTuple):
    """What connects a disk with its front end. `abi`: the guest ABI that the ring is laid out by."""

    ring: RingState
    port: int
    abi: str

    @property
    def ports(self) -> tuple[int, ...]:
        """Its event channel."""
        return (self.port,)


class BlockBackend(XenbusDevice):
    """A disk of a domain, by its virtual device number (hv.backend.names). `cdrom`: it is shown as one. `twin`: it is
    the disk of an emulated drive, which keeps what is written to it, and this says whether that is plugged in: if so,
    no front end may connect. So one of the two ways to a disk is open at a time."""

    kind = "vbd"

    def __init__(
        self, bus: Bus, domain: Domain, number: int, disk: Disk, *, cdrom: bool = False, twin: Twin | None = None
    ) -> None:
        super().__init__(bus, domain, number)
        self.disk = disk
        self.cdrom = cdrom
        self.twin = twin

    # ---- XenbusDevice ----

    def advertise(self) -> Mapping[str, object]:
        """What we can do."""
        return {
            "feature-barrier": 0,
            "feature-flush-cache": 1,
            "feature-discard": 0,
            "feature-persistent": 0,
            "feature-max-indirect-segments": MAX_INDIRECT_SEGMENTS,
            "max-ring-page-order": MAX_RING_ORDER,
        }

    def details(self) -> Mapping[str, object]:
        """What the disk is."""
        read_only = abi.VDISK_READONLY if self.disk.read_only else 0
        return {
            "sectors": self.disk.sectors,
            "info": int(read_only | (abi.VDISK_CDROM if self.cdrom else 0)),
            "sector-size": SECTOR,
            "physical-sector-size": SECTOR,
        }

    def negotiate(self) -> BlockLink:
        """Read ring, event channel and layout."""
        native = next(name for name, layout in PROTOCOLS.items() if layout == self.domain.abi)
        protocol = self.wanted("protocol", native)
        if protocol not in PROTOCOLS:
            raise BackendError(f"{self.front}/protocol is {protocol[:20]!a}; {' and '.join(PROTOCOLS)} are known")
        self.one_queue()
        layout = PROTOCOLS[protocol]
        port = self.wanted_number("event-channel", WORDS)
        return BlockLink(RingState(self._ring_refs(), ring_layout(layout).entry), port, layout)

    def _ring_refs(self) -> tuple[int, ...]:
        order = self.wanted_number("ring-page-order", MAX_RING_ORDER + 1, 0)
        if order == 0:
            name = "ring-ref" if self.wanted("ring-ref", "") else "ring-ref0"
            return (self.wanted_number(name, WORDS),)
        return tuple(self.wanted_number(f"ring-ref{page}", WORDS) for page in range(1 << order))

    def attach(self, link: BlockLink) -> BlockLink:
        """Take up the ring."""
        with GrantedArea(self.domain, link.ring.refs) as area:
            ring = OpenRing(area, link.ring)
            ring.attach()
            ring.ask()
        return link._replace(ring=ring.state)

    def event(self) -> None:
        """Carry out the requests that are in the ring. Those that appear meanwhile, by a request that reads into the
        ring itself, wait for the next event: so there is an end."""
        link: BlockLink = self.link
        requests = Requests(self.domain, self.disk, ring_layout(link.abi))
        with GrantedArea(self.domain, link.ring.refs) as area:
            ring = OpenRing(area, link.ring)
            for _ in range(ring.waiting()):
                ring.put(requests.answer(ring.take()))
            wanted = ring.publish()
            ring.ask()
        self.link = link._replace(ring=ring.state)
        if wanted:
            self.notify(link.port)

    # ---- state ----

    def contents(self) -> Any:
        """What was written to the disk; None: that is kept elsewhere."""
        return self.disk.save() if self.twin is None else None

    def set_contents(self, saved: Any) -> None:
        """Have just that written to the disk."""
        if self.twin is None:
            self.disk.load(saved)

    def canonical(self) -> bytes:
        """For the state hash."""
        return super().canonical() + (self.disk.canonical() if self.twin is None else b"")
