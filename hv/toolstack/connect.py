"""Connect a built domain to the back ends that domain 0 would run: its console and its xenstore."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from hv import evtchn
from hv.backend.console import ConsoleBackend
from hv.shared_ring import Window
from hv.xenstore.daemon import Xenstored
from hv.xenstore.domain import DomainNodes, write_nodes
from hv.xenstore.ring import StoreRing

if TYPE_CHECKING:
    from hv.domain import Domain

PAGE_SIZE = 4096
Sink = Callable[[bytes], object]


class Console:
    """A domain's console: the PV ring and the hypercall console_io come together here.

    `sink` gets what the guest prints, as it comes; without one it is kept for `text()`. `feed()` types.
    """

    def __init__(self, domain: Domain, sink: Sink | None = None) -> None:
        c = domain.c
        port = int(c.console_port)
        self.sink = sink
        self.output = bytearray()
        window = frame_window(domain, int(c.console_frame))
        self.ring = ConsoleBackend(window, lambda: notify(domain, port), self.print)
        domain.connect_host_port(port, self._event)
        domain.services["console"] = self

    def print(self, data: bytes) -> None:
        """The guest has printed."""
        if self.sink is None:
            self.output += data
        else:
            self.sink(data)

    def feed(self, data: bytes) -> None:
        """Type: the guest gets the bytes when its ring has room."""
        self.ring.type(data)

    def text(self) -> str:
        """What the guest has printed so far (when there is no sink), as text."""
        return self.output.decode("utf-8", "replace")

    def canonical(self) -> bytes:
        """For the state hash: what waits to be typed. What was printed is no state."""
        return repr((self.ring.state.waiting, self.ring.state.broken)).encode()

    def _event(self) -> None:
        self.ring.serve()


class Store:
    """A domain's connection with xenstored."""

    def __init__(self, domain: Domain, daemon: Xenstored, memory_kib: int) -> None:
        c = domain.c
        port = int(c.store_port)
        self.daemon = daemon
        write_nodes(
            daemon.store,
            DomainNodes(
                domid=domain.domid,
                name=domain.name,
                uuid=uuid_of(domain),
                vcpus=len(domain.vcpus),
                memory=memory_kib,
                max_memory=memory_kib,
                store_frame=int(c.store_frame),
                store_port=port,
                console_frame=int(c.console_frame),
                console_port=int(c.console_port),
            ),
        )
        window = frame_window(domain, int(c.store_frame))
        daemon.introduce(StoreRing(domain.domid, window, lambda: notify(domain, port)))
        domain.connect_host_port(port, self._event)
        domain.services["xenstore"] = self

    def canonical(self) -> bytes:
        """For the state hash: the digest of the whole store."""
        return self.daemon.digest()

    def _event(self) -> None:
        self.daemon.serve()


def frame_window(domain: Domain, mfn: int) -> Window:
    """Access to one machine frame for a ring: every write goes through the domain's checked one."""
    base = mfn * PAGE_SIZE
    return Window(
        lambda offset, length: domain.read(base + offset, length),
        lambda offset, data: domain.write(base + offset, data),
    )


def notify(domain: Domain, port: int) -> None:
    """Send the guest its event; a guest that has closed the port hears nothing."""
    evtchn.host_notify(domain.hv.native, domain.c, port)


def uuid_of(domain: Domain) -> str:
    """A uuid that is the same on every run: of the domain's name and number."""
    digits = hashlib.sha256(f"{domain.name}/{domain.domid}".encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], f"4{digits[13:16]}", f"8{digits[17:20]}", digits[20:32]))
