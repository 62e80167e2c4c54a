"""A domain's connection over its shared page. Facts: xen/include/public/io/xs_wire.h, docs/misc/xenstore-ring.txt.

Requests are taken only while no reply waits for room: a guest that does not read its replies stops itself, and
costs the host no memory. Nothing but where the page is lies here: the state is the store's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hv import abi
from hv.shared_ring import ByteRing, RingError, Window
from hv.xenstore import wire
from hv.xenstore.requests import answer
from hv.xenstore.store import Store

PAGE = abi.layout("xenstore_domain_interface")
REQUESTS = ByteRing("xenstore requests", PAGE.offset("req"), abi.XENSTORE_RING_SIZE,
                    PAGE.offset("req_cons"), PAGE.offset("req_prod"))
REPLIES = ByteRing("xenstore replies", PAGE.offset("rsp"), abi.XENSTORE_RING_SIZE,
                   PAGE.offset("rsp_cons"), PAGE.offset("rsp_prod"))
FEATURES = abi.XENSTORE_SERVER_FEATURE_RECONNECTION | abi.XENSTORE_SERVER_FEATURE_ERROR


@dataclass(frozen=True, slots=True)
class StoreRing:
    """One domain's ring. `notify` sends the event that says: look at the ring."""

    domid: int
    page: Window
    notify: Callable[[], None]

    def start(self) -> None:
        """Say in the page what this server can do."""
        self.page.set_u32(PAGE.offset("server_features"), FEATURES)
        self.page.set_u32(PAGE.offset("connection"), abi.XENSTORE_CONNECTED)
        self.page.set_u32(PAGE.offset("error"), abi.XENSTORE_ERROR_NONE)

    def serve(self, store: Store) -> bool:
        """Answer what waits and send what there is room for; whether anything was done. Notifies the guest."""
        try:
            moved = self.reconnect(store)
            if store.connection(self.domid).error:
                return False
            while self.send(store) | self.receive(store):
                moved = True
        except RingError:
            moved = self.give_up(store, abi.XENSTORE_ERROR_RINGIDX)
        except ValueError:
            moved = self.give_up(store, abi.XENSTORE_ERROR_PROTO)
        if moved:
            self.notify()
        return moved

    def send(self, store: Store) -> bool:
        """Move replies and events into the ring, in order, as far as there is room."""
        moved = False
        while (connection := store.connection(self.domid)).outgoing:
            first, *others = connection.outgoing
            count = REPLIES.put(self.page, first[connection.sent:])
            moved |= count > 0
            if connection.sent + count < len(first):
                store.update(self.domid, sent=connection.sent + count)
                break
            store.update(self.domid, outgoing=tuple(others), sent=0)
        return moved

    def receive(self, store: Store) -> bool:
        """Take bytes of requests from the ring and carry out the first whole one, unless a reply waits."""
        connection = store.connection(self.domid)
        if connection.outgoing:
            return False
        data = REQUESTS.take(self.page)
        request, rest = wire.next_message(connection.received + data)
        store.update(self.domid, received=rest)
        if request is not None:
            answer(store, self.domid, request)
        return bool(data) or request is not None

    def give_up(self, store: Store, error: int) -> bool:
        """Stop listening to a client that broke the protocol, and say so in its page."""
        store.update(self.domid, error=error, received=b"", outgoing=(), sent=0)
        self.page.set_u32(PAGE.offset("error"), error)
        return True

    def reconnect(self, store: Store) -> bool:
        """Begin anew if the guest asked for it: no watch, no transaction, both rings empty."""
        if self.page.u32(PAGE.offset("connection")) != abi.XENSTORE_RECONNECT:
            return False
        store.disconnect(self.domid)
        store.connect(self.domid)
        for ring in (REQUESTS, REPLIES):
            self.page.set_u32(ring.cons, 0)
            self.page.set_u32(ring.prod, 0)
        self.start()
        return True
