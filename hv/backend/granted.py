"""Pages that a guest has granted to domain 0, as a back end of the host uses them.

A page is held, by the rules of hv.grant, only while one event of the guest is served: the entry is claimed and marked
as in use, the frame has a reference and, where it is written, counts as writable memory, so it can be no page table.
All of this is gone before the guest executes its next instruction, so no snapshot ever has to know of it. What Xen
would keep mapped, the page of a ring, is found by its grant reference each time; a guest that takes that grant back has
broken its ring.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from hv.errors import XenError
from hv.grant import GrantError, table
from hv.grant_copy import End, check_bounds, hold_grant, hold_writable, release
from hv.native import lib
from hv.physical import PAGE_SHIFT, PAGE_SIZE, read, write

if TYPE_CHECKING:
    from types import TracebackType

    from hv.domain import Domain

BACKEND_DOMID = 0
"""Whom the guest grants to: the domain that runs the back ends."""


class NotGranted(Exception):
    """The guest has not granted what it said. One line."""


class GrantedPage:
    """One page, held inside of a `with`. NotGranted on the way in: the guest does not grant it, or not for writing."""

    def __init__(self, domain: Domain, ref: int, *, readonly: bool = False) -> None:
        self._c: Any = domain.hv.native
        self._d: Any = domain.c
        self._ref = ref
        self._readonly = readonly
        self._end: End
        self._owner: Any = None

    def __enter__(self) -> GrantedPage:
        try:
            granter = table(self._c, self._d)
            end = hold_grant(granter, self._ref, BACKEND_DOMID, readonly=self._readonly, transitive=True)
        except (GrantError, XenError) as error:
            raise NotGranted(f"grant {self._ref}: {error}") from None
        try:
            self._owner = None if self._readonly else hold_writable(self._c, self._d, end.frame)
        except GrantError as error:
            release(self._c, end, readonly=False)
            raise NotGranted(f"grant {self._ref}: {error}") from None
        self._end = end
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._readonly:
            lib.hv_put_page_type(self._c, self._owner, self._end.frame)
        release(self._c, self._end, readonly=self._readonly)

    def _address(self, offset: int, length: int) -> int:
        if not 0 <= offset <= offset + length <= PAGE_SIZE:
            raise NotGranted(f"grant {self._ref}: bytes {offset} to {offset + length} of a page")
        try:
            check_bounds(self._end, offset, length)
        except GrantError as error:
            raise NotGranted(f"grant {self._ref}: {error}") from None
        return (self._end.frame << PAGE_SHIFT) + offset

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the page. NotGranted: they are not part of it, or of what was granted of it."""
        return read(self._c, self._address(offset, length), length)

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes of the page, which must not be held as read-only. NotGranted as read()."""
        assert not self._readonly
        write(self._c, self._address(offset, len(data)), data)


class GrantedArea:
    """Several pages one behind the other, such as those of a ring, held inside of a `with`. NotGranted as a page."""

    def __init__(self, domain: Domain, refs: tuple[int, ...]) -> None:
        self._domain = domain
        self._refs = refs
        self._stack = ExitStack()
        self._pages: list[GrantedPage] = []

    def __enter__(self) -> GrantedArea:
        with ExitStack() as stack:
            self._pages = [stack.enter_context(GrantedPage(self._domain, ref)) for ref in self._refs]
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self, offset: int, length: int) -> bytes:
        """Bytes, across pages where they lie so."""
        page, inside = divmod(offset, PAGE_SIZE)
        first = min(length, PAGE_SIZE - inside)
        data = self._pages[page].read(inside, first)
        return data if first == length else data + self.read(offset + first, length - first)

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes, across pages."""
        page, inside = divmod(offset, PAGE_SIZE)
        first = data[: PAGE_SIZE - inside]
        self._pages[page].write(inside, first)
        if len(first) < len(data):
            self.write(offset + len(first), data[len(first) :])
