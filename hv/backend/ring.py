"""The ring of a split driver, from the back end's side: requests from the guest, responses to it, in one array.

Facts: xen/include/public/io/ring.h. The guest may write anything into the ring at any time. So the producer's index is
read once and judged, an entry is copied before it is looked at, and what the back end itself has consumed and produced
is kept where the guest cannot reach (RingState); what the ring says of that is never read again.
"""

from __future__ import annotations

from typing import NamedTuple

from hv import abi
from hv.backend.granted import GrantedArea
from hv.physical import PAGE_SIZE
from hv.shared_ring import RingError

_SRING = abi.layout("blkif_sring")  # the indices lie alike in the rings of all drivers
REQ_PROD, REQ_EVENT = _SRING.offset("req_prod"), _SRING.offset("req_event")
RSP_PROD, RSP_EVENT = _SRING.offset("rsp_prod"), _SRING.offset("rsp_event")
_MASK = 0xFFFFFFFF


class RingState(NamedTuple):
    """Where a ring is and how far it has come: grant references of its pages, bytes of an entry, and the indices of the
    next request to take and the next response to give."""

    refs: tuple[int, ...]
    entry: int
    req_cons: int = 0
    rsp_prod: int = 0

    @property
    def size(self) -> int:
        """Entries: the largest power of two that its pages hold."""
        return 1 << ((len(self.refs) * PAGE_SIZE - abi.RING_HEADER_SIZE) // self.entry).bit_length() - 1


class OpenRing:
    """A ring whose pages are held. `state` moves on with what is done; responses show when `publish()` is called."""

    def __init__(self, area: GrantedArea, state: RingState) -> None:
        self._area = area
        self._size = state.size
        self._shown = state.rsp_prod
        self.state = state

    def _index(self, offset: int) -> int:
        return int.from_bytes(self._area.read(offset, 4), "little")

    def _set_index(self, offset: int, value: int) -> None:
        self._area.write(offset, (value & _MASK).to_bytes(4, "little"))

    def _place(self, index: int) -> int:
        return int(abi.RING_HEADER_SIZE) + index % self._size * self.state.entry

    def attach(self) -> None:
        """Take the ring up as the guest has left it: usually fresh, with requests in it or without. RingError."""
        at = self._index(RSP_PROD)
        self.state = self.state._replace(req_cons=at, rsp_prod=at)
        self._shown = at
        self.waiting()

    def waiting(self) -> int:
        """Requests that are to be taken. RingError: more than the ring holds."""
        produced = self._index(REQ_PROD)
        count = (produced - self.state.req_cons) & _MASK
        # Each request takes its place until its response is shown.
        if (produced - self.state.rsp_prod) & _MASK > self._size or count > self._size:
            raise RingError(f"{count} requests are in a ring of {self._size} (producer {produced:#x})")
        return count

    def take(self) -> bytes:
        """The next request; waiting() has said that there is one."""
        data = self._area.read(self._place(self.state.req_cons), self.state.entry)
        self.state = self.state._replace(req_cons=(self.state.req_cons + 1) & _MASK)
        return data

    def put(self, response: bytes) -> None:
        """Give the next response."""
        self._area.write(self._place(self.state.rsp_prod), response)
        self.state = self.state._replace(rsp_prod=(self.state.rsp_prod + 1) & _MASK)

    def publish(self) -> bool:
        """Show the responses to the guest; whether it wants an event for them."""
        new, old, self._shown = self.state.rsp_prod, self._shown, self.state.rsp_prod
        if new == old:
            return False
        self._set_index(RSP_PROD, new)
        return (new - self._index(RSP_EVENT)) & _MASK < (new - old) & _MASK

    def ask(self, count: int = 1) -> None:
        """Have the guest send an event when there are so many requests."""
        self._set_index(REQ_EVENT, self.state.req_cons + count)
