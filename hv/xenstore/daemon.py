"""Xenstored: the store and the rings of the domains that are connected to it.

The hypervisor introduces a domain when it is made, calls `serve` when a guest has sent an event on its store channel
(and after changing nodes itself), and releases the domain at its end. Back ends in Python use the store as domain 0.
"""

from hv import abi
from hv.xenstore import watches, wire
from hv.xenstore.permissions import PRIVILEGED
from hv.xenstore.ring import StoreRing
from hv.xenstore.store import Store


class Xenstored:
    """A store with its clients. All that a run changes is `store.state`, immutable data."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.connect(PRIVILEGED)
        self._rings: dict[int, StoreRing] = {}

    def introduce(self, ring: StoreRing, *, started: bool = False) -> None:
        """Connect a domain by its ring. StoreError EEXIST if it is connected.

        started: the server's part of the page was written before, and may be the guest's by now.
        """
        self.store.connect(ring.domid)
        self._rings[ring.domid] = ring
        if not started:
            ring.start()
        watches.fire(self.store, "@introduceDomain")

    def release(self, domid: int) -> None:
        """Disconnect a domain. Its nodes stay until the toolstack removes them."""
        self._rings.pop(domid, None)
        self.store.disconnect(domid)
        watches.fire(self.store, "@releaseDomain")

    def attach(self, rings: dict[int, StoreRing]) -> None:
        """Take over other rings, after `store.state` was set to a saved state."""
        self._rings = dict(rings)

    def serve(self) -> bool:
        """Serve every ring until none moves; whether any did. One client's request can be another's event."""
        moved, again = False, True
        while again:
            again = False
            for domid in sorted(self._rings):
                again |= self._rings[domid].serve(self.store)
            moved |= again
        return moved

    def watch(self, path: str, token: str) -> None:
        """Watch a node (or a special event) as domain 0; the first event comes at once, as for a guest."""
        watch = watches.add(self.store, PRIVILEGED, path, token.encode())
        watches.queue(self.store, PRIVILEGED, watch, watch.path)

    def unwatch(self, path: str, token: str) -> None:
        """Drop a watch of domain 0. StoreError ENOENT."""
        watches.remove(self.store, PRIVILEGED, path, token.encode())

    def events(self) -> list[tuple[str, str]]:
        """Take domain 0's events: (path, token), oldest first."""
        outgoing = self.store.connection(PRIVILEGED).outgoing
        self.store.update(PRIVILEGED, outgoing=())
        taken = []
        for data in outgoing:
            event, _ = wire.next_message(data)
            assert event is not None and event.type == abi.XS_WATCH_EVENT
            path, token, _ = event.payload.split(b"\0")
            taken.append((path.decode(), token.decode()))
        return taken

    def digest(self) -> bytes:
        """SHA-256 of everything that the store remembers."""
        return self.store.state.digest()
