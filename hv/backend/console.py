"""The back end of the PV console: bytes out of a guest's page and into it.

Facts: xen/include/public/io/console.h. The page holds two byte rings; after the host moved an index, the guest is
notified over the console's event channel, and the guest notifies the host after it moved one.
"""

from collections.abc import Callable
from typing import NamedTuple

from hv import abi
from hv.shared_ring import ByteRing, RingError, Window

PAGE = abi.layout("xencons_interface")
INPUT = ByteRing("console input", PAGE.offset("in"), abi.XENCONS_IN_SIZE,
                 PAGE.offset("in_cons"), PAGE.offset("in_prod"))
OUTPUT = ByteRing("console output", PAGE.offset("out"), abi.XENCONS_OUT_SIZE,
                  PAGE.offset("out_cons"), PAGE.offset("out_prod"))


class ConsoleState(NamedTuple):
    """What the back end remembers, immutable: keys that found no room yet, and whether the guest broke its rings."""

    waiting: bytes = b""
    broken: str = ""           # what was wrong; the console is dead from then on


class ConsoleBackend:
    """A guest's console. `sink` gets what the guest prints, `notify` sends the guest its event."""

    def __init__(self, page: Window, notify: Callable[[], None], sink: Callable[[bytes], None]) -> None:
        self.page = page
        self.notify = notify
        self.sink = sink
        self.state = ConsoleState()

    def type(self, data: bytes) -> None:
        """Give the guest input; what finds no room in the ring goes there as soon as the guest makes some."""
        if not self.state.broken:
            self.state = ConsoleState(self.state.waiting + data)
            self.serve()

    @property
    def used(self) -> bool:
        """Whether the guest has ever printed here."""
        return self.page.u32(PAGE.offset("out_prod")) != 0

    def serve(self) -> bool:
        """Take what the guest has printed, give it what waits; whether an index moved. Notifies the guest."""
        if self.state.broken:
            return False
        try:
            printed = OUTPUT.take(self.page)
            if printed:
                self.sink(printed)
            given = INPUT.put(self.page, self.state.waiting)
        except RingError as error:
            # As xenconsoled does: a guest that breaks its console has none.
            self.state = ConsoleState(broken=str(error))
            return False
        if given:
            self.state = ConsoleState(self.state.waiting[given:])
        if printed or given:
            self.notify()
        return bool(printed or given)
