"""The back end of PV network interfaces, as xen-netback is on Linux.

Facts: xen/include/public/io/netif.h. Towards the network it is a card at the end of a cable (hv.net.port.Nic): what the
guest sends goes to the port at once, what the port brings waits there while the guest has posted no buffers.

Offered: copying, frames over several slots, separate event channels for the two directions; checksums that the guest
leaves blank (front ends do so unasked) are filled in here, so a frame on the cable is always whole. Not offered, and so
refused: segmentation (GSO), multicast control, several queues, the control ring, page flipping, XDP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from hv import abi
from hv.backend.granted import GrantedArea, NotGranted
from hv.backend.net_frames import RX_ENTRY, TX_ENTRY, gather, put_responses, scatter, slots_for, take_packet
from hv.backend.ring import OpenRing, RingState
from hv.backend.xenbus import WORDS, BackendError, Bus, Twin, XenbusDevice
from hv.net.port import LONGEST
from hv.shared_ring import RingError

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.net.port import Port



class NetLink(NamedTuple):
    """What connects an interface with its front end: a ring and an event channel (often the same) for each direction.
    `gathers`: the front end takes frames in several slots."""

    tx: RingState
    rx: RingState
    tx_port: int
    rx_port: int
    gathers: bool

    @property
    def ports(self) -> tuple[int, ...]:
        """Its event channels."""
        return (self.tx_port,) if self.tx_port == self.rx_port else (self.tx_port, self.rx_port)

    @property
    def room(self) -> int:
        """Receive slots that there must be for a frame of any length."""
        return slots_for(LONGEST) if self.gathers else 1


class NetBackend(XenbusDevice):
    """A network interface of a domain, the first being number 0. `twin`: it has the cable of an emulated card, and this
    says whether that is plugged in: if so, no front end may connect."""

    kind = "vif"

    def __init__(self, bus: Bus, domain: Domain, number: int, *, twin: Twin | None = None) -> None:
        super().__init__(bus, domain, number)
        self.port: Port | None = None
        self.twin = twin

    # ---- XenbusDevice ----

    def advertise(self) -> Mapping[str, object]:
        """What we can do."""
        return {
            "feature-sg": 1,
            "feature-gso-tcpv4": 0,
            "feature-gso-tcpv6": 0,
            "feature-ipv6-csum-offload": 0,
            "feature-rx-copy": 1,
            "feature-rx-flip": 0,
            "feature-multicast-control": 0,
            "feature-split-event-channels": 1,
            "multi-queue-max-queues": 1,
            "feature-ctrl-ring": 0,
        }

    def negotiate(self) -> NetLink:
        """Read rings, event channels and features."""
        if not self.wanted_number("request-rx-copy", 2, 0):
            raise BackendError(f"{self.front}/request-rx-copy is not 1: pages are not flipped")
        self.one_queue()
        split = bool(self.wanted("event-channel-tx", ""))
        return NetLink(
            tx=RingState((self.wanted_number("tx-ring-ref", WORDS),), TX_ENTRY),
            rx=RingState((self.wanted_number("rx-ring-ref", WORDS),), RX_ENTRY),
            tx_port=self.wanted_number("event-channel-tx" if split else "event-channel", WORDS),
            rx_port=self.wanted_number("event-channel-rx" if split else "event-channel", WORDS),
            gathers=bool(self.wanted_number("feature-sg", 2, 0)),
        )

    def attach(self, link: NetLink) -> NetLink:
        """Take up the rings."""
        with GrantedArea(self.domain, link.tx.refs) as area:
            tx = OpenRing(area, link.tx)
            tx.attach()
            tx.ask()
        with GrantedArea(self.domain, link.rx.refs) as area:
            rx = OpenRing(area, link.rx)
            rx.attach()
            rx.ask(rx.waiting() + 1)
        return link._replace(tx=tx.state, rx=rx.state)

    def event(self) -> None:
        """Send what the guest wants sent; and it may have posted buffers, so the port may go on."""
        for frame in self._sent():
            if self.port is not None:
                self.port.send(frame)
        if self.port is not None:
            self.port.room()

    def _sent(self) -> list[bytes]:
        """The frames in the transmit ring; their slots are given back. What is no frame is answered with an error."""
        link: NetLink = self.link
        frames = []
        with GrantedArea(self.domain, link.tx.refs) as area:
            ring = OpenRing(area, link.tx)
            waiting = ring.waiting()
            while waiting:
                packet, waiting = take_packet(ring, waiting)
                frame = gather(self.domain, packet)
                put_responses(ring, packet, int(abi.NETIF_RSP_ERROR if frame is None else abi.NETIF_RSP_OKAY))
                if frame is not None:
                    frames.append(frame)
            wanted = ring.publish()
            ring.ask()
        self.link = link._replace(tx=ring.state)
        if wanted:
            self.notify(link.tx_port)
        return frames

    # ---- hv.net.port.Nic ----

    def holding(self) -> bool:
        """Whether frames had better wait: the guest receives, but has posted too few buffers. It then owes us an event
        for the next ones."""
        if self.link is None:
            return False
        link: NetLink = self.link
        try:
            with GrantedArea(self.domain, link.rx.refs) as area:
                return OpenRing(area, link.rx).waiting() < link.room
        except (NotGranted, RingError):
            return False  # accept() says so to the guest

    def full(self) -> None:
        """Frames wait; front ends do not count on hearing of it."""

    def accept(self, data: bytes) -> None:
        """A frame arrives. While the guest is not connected, or has no room for it, it is lost."""
        if self.link is None:
            return
        try:
            self._receive(data)
        except (NotGranted, RingError) as error:
            self.fatal(str(error))
            self.bus.flush()

    def _receive(self, frame: bytes) -> None:
        link: NetLink = self.link
        slots = slots_for(len(frame))
        with GrantedArea(self.domain, link.rx.refs) as area:
            ring = OpenRing(area, link.rx)
            waiting = ring.waiting()
            if slots <= waiting and slots <= link.room:
                scatter(self.domain, ring, frame)
                waiting -= slots
            wanted = ring.publish()
            if waiting < link.room:
                ring.ask(waiting + 1)
        self.link = link._replace(rx=ring.state)
        if wanted:
            self.notify(link.rx_port)
