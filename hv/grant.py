"""Grant tables: the pages by which a domain lets others at its frames, and who holds what of them.

The table is shared memory that its owner may rewrite at any time, so every entry is read once and judged as
read. What was agreed on is remembered where the guest cannot reach: a `struct active_grant` in the arena
(the pins: how many readers and writers, for host mappings and devices) and, for the domain that maps, a
`struct maptrack`.

`Table(c, d)` is a view: `c` the hypervisor's C object (struct hv *), `d` a struct domain *. Sources:
xen/include/public/grant_table.h; rules and statuses of xen/common/grant_table.c of Xen 4.17.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

from hv import abi
from hv.errors import XenError
from hv.native import NO_FRAME, lib
from hv.physical import PAGE_SHIFT, PAGE_SIZE, read, read_word, write, write_word

_V1, _V2 = Struct("<HHI"), Struct("<HHHHQ")
V1_SIZE, V2_SIZE, STATUS_SIZE = _V1.size, _V2.size, 2
_TYPE, _PERMIT, _TRANSITIVE = int(abi.GTF_type_mask), int(abi.GTF_permit_access), int(abi.GTF_transitive)
_READING, _WRITING = int(abi.GTF_reading), int(abi.GTF_writing)
MAX_FRAMES: int = lib.HV_GRANT_FRAMES
# Units of active_grant.pin; each counter has 8 bits, and a set top bit means: no more.
HOST_READ, HOST_WRITE, DEVICE_READ, DEVICE_WRITE = 1, 1 << 8, 1 << 16, 1 << 24
WRITERS = 0xFF00_FF00
PIN_FULL = 0x8080_8080


class GrantError(Exception):
    """One operation of a batch fails with a status (GNTST_*); the hypercall itself goes on."""

    def __init__(self, status: int, rule: str, **facts: int) -> None:
        self.status = status
        self.reason = XenError(rule, **facts)
        super().__init__(f"GNTST {status}: {self.reason.sentence}")


class Entry(NamedTuple):
    """One grant as it was read: its header, and the rest by version and type."""

    flags: int
    domid: int
    frame: int
    page_off: int = 0
    length: int = PAGE_SIZE
    trans_domid: int = 0
    trans_ref: int = 0

    @property
    def kind(self) -> int:
        """GTF_invalid, GTF_permit_access, GTF_accept_transfer or GTF_transitive."""
        return self.flags & _TYPE


class Table(NamedTuple):
    """The grant table of one domain."""

    c: Any
    d: Any

    @property
    def version(self) -> int:
        """1 or 2."""
        return int(self.d.grant_version)

    @property
    def entries(self) -> int:
        """References below this number have an entry."""
        return int(self.d.grant_frames) * (PAGE_SIZE // self._size)

    @property
    def _size(self) -> int:
        return V1_SIZE if self.d.grant_version == 1 else V2_SIZE

    # ---- the shared entries ----
    def _entry_pa(self, ref: int) -> int:
        frame, at = divmod(ref * self._size, PAGE_SIZE)
        return int(self.d.grant_frame[frame] << PAGE_SHIFT) + at

    def _status_pa(self, ref: int) -> int:
        """Where Xen marks reading and writing: in the entry itself, or with version 2 in a page of their
        own."""
        if self.version == 1:
            return self._entry_pa(ref)
        frame, at = divmod(ref * STATUS_SIZE, PAGE_SIZE)
        return int(self.d.grant_status_frame[frame] << PAGE_SHIFT) + at

    def entry(self, ref: int) -> Entry:
        """Read an entry, once."""
        if self.version == 1:
            return Entry(*_V1.unpack(self.raw(ref)))
        flags, domid, first, second, frame = _V2.unpack(self.raw(ref))
        kind = flags & _TYPE
        if kind == _TRANSITIVE:
            return Entry(flags, domid, 0, 0, 0, first, frame & 0xFFFF_FFFF)
        if kind == _PERMIT and flags & abi.GTF_sub_page:
            return Entry(flags, domid, frame, first, second)
        return Entry(flags, domid, frame)

    def raw(self, ref: int) -> bytes:
        """The bytes of an entry."""
        return read(self.c, self._entry_pa(ref), self._size)

    def set_raw(self, ref: int, data: bytes) -> None:
        """Write the bytes of an entry."""
        write(self.c, self._entry_pa(ref), data)

    def status(self, ref: int) -> int:
        """The halfword that holds GTF_reading and GTF_writing."""
        return read_word(self.c, self._status_pa(ref), 2)

    def set_status(self, ref: int, value: int) -> None:
        """Write that halfword."""
        write_word(self.c, self._status_pa(ref), 2, value)

    def unmark(self, ref: int) -> None:
        """Clear of GTF_reading and GTF_writing what no pin asks for any more."""
        self._unmark(ref, self.active(ref).pin)

    def _unmark(self, ref: int, pin: int) -> None:
        if pin & WRITERS:
            return
        gone = _WRITING if pin else _READING | _WRITING
        pa = self._status_pa(ref)
        status = read_word(self.c, pa, STATUS_SIZE)
        if status & gone:
            write_word(self.c, pa, STATUS_SIZE, status & ~gone)

    # ---- what the guest cannot reach ----
    def active(self, ref: int) -> Any:
        """The struct active_grant of a reference."""
        return lib.hv_active_grant(self.c, self.d, ref)

    def maptrack(self, handle: int) -> Any:
        """The struct maptrack of a handle of this domain's."""
        return lib.hv_maptrack(self.c, self.d, handle)

    # ---- claiming a grant ----
    def check_ref(self, ref: int) -> None:
        """GNTST_bad_gntref when the table has no such entry."""
        if ref >= self.entries:
            raise GrantError(
                abi.GNTST_bad_gntref, "grant_ref_range", domid=self.d.domid, ref=ref, limit=self.entries
            )

    def claim(self, ref: int, user: int, *, readonly: bool, mapping: bool) -> Entry:
        """May domain `user` have this access? Then the entry is marked in use, and returned as it was judged.

        An entry in use stays what it was when it was claimed first: only a new right to write is judged
        again.
        """
        act, entry = self.active(ref), self.entry(ref)
        pin = act.pin
        if pin:
            if act.domid != user or pin & PIN_FULL:
                raise GrantError(abi.GNTST_general_error, "grant_in_use", ref=ref, domid=act.domid, pin=pin)
            if readonly or pin & WRITERS:
                return entry
        elif entry.domid != user or not self._gives(entry, mapping):
            raise GrantError(
                abi.GNTST_general_error, "grant_not_given", ref=ref, flags=entry.flags, domid=entry.domid,
                user=user
            )
        if not readonly and entry.flags & abi.GTF_readonly:
            raise GrantError(abi.GNTST_general_error, "grant_read_only", ref=ref, flags=entry.flags)
        # No vcpu runs meanwhile, so this is one step for the guest. The flags of version 1 have just been read.
        status = entry.flags if self.version == 1 else self.status(ref)
        self.set_status(ref, status | (_READING if readonly else _READING | _WRITING))
        return entry

    def _gives(self, entry: Entry, mapping: bool) -> bool:
        """Whether an entry is one to map, or to copy from and to."""
        kind = entry.flags & _TYPE
        if mapping:
            return kind == _PERMIT and not entry.flags & abi.GTF_sub_page
        return kind == _PERMIT or (kind == _TRANSITIVE and self.version == 2)

    def pin(self, ref: int, user: int, frame: int, unit: int) -> None:
        """Count one more use, in units of HOST_READ and so on; the first one settles whose it is and which
        frame."""
        act = self.active(ref)
        if not act.pin:
            act.domid, act.frame = user, frame
        act.pin += unit

    def unpin(self, ref: int, unit: int) -> None:
        """Undo pin(), and the marks when that was the last."""
        act = self.active(ref)
        pin = act.pin - unit
        act.pin = pin
        self._unmark(ref, pin)


def table(c: Any, d: Any) -> Table:
    """The grant table of a domain. Every domain has one, of version 1 and one frame, from the first look at
    it."""
    if not d.grant_frames:
        d.grant_version = 1
        grow(Table(c, d), 1)
    return Table(c, d)


def status_frames_for(frames: int) -> int:
    """Status frames that a table of `frames` version-2 frames needs."""
    return -(-frames * (PAGE_SIZE // V2_SIZE) // (PAGE_SIZE // STATUS_SIZE))


def _new_frame(t: Table) -> int:
    frame = int(lib.hv_alloc_shared_frame(t.c, t.d.domid))
    if frame == NO_FRAME:
        raise XenError("grant_no_memory", domid=t.d.domid)
    return frame


def grow_status(t: Table, frames: int) -> None:
    """Have the status frames for a table of `frames` frames. ENOMEM."""
    while t.d.grant_status_frames < status_frames_for(frames):
        t.d.grant_status_frame[t.d.grant_status_frames] = _new_frame(t)
        t.d.grant_status_frames += 1


def grow(t: Table, frames: int) -> None:
    """Have at least `frames` frames (at most MAX_FRAMES). ENOMEM: the frames so far are kept."""
    if t.version == 2:
        grow_status(t, frames)
    while t.d.grant_frames < frames:
        t.d.grant_frame[t.d.grant_frames] = _new_frame(t)
        t.d.grant_frames += 1


def drop_status(t: Table) -> None:
    """Give the status frames back. EBUSY: the guest still has one of them mapped."""
    pages = lib.hv_pages(t.c)
    for i in range(t.d.grant_status_frames):
        if pages[t.d.grant_status_frame[i]].ref_info & lib.PGC_COUNT_MASK > 1:
            raise XenError("grant_status_mapped", frame=t.d.grant_status_frame[i])
    for i in range(t.d.grant_status_frames):
        lib.hv_free_frame(t.c, t.d.grant_status_frame[i])
        t.d.grant_status_frame[i] = 0
    t.d.grant_status_frames = 0


def _reserved(t: Table) -> list[Entry]:
    """The first entries, which the toolstack made (console, xenstore), with their marks: they survive a
    change of version. ERANGE: one of them cannot be said in version 1."""
    kept = []
    for ref in range(abi.GNTTAB_NR_RESERVED_ENTRIES):
        entry = t.entry(ref)
        if entry.kind == abi.GTF_transitive or (entry.kind == abi.GTF_permit_access and entry.frame >> 32):
            raise XenError("grant_version_entry", ref=ref, flags=entry.flags)
        if t.version == 2:
            entry = Entry(entry.flags | t.status(ref), entry.domid, entry.frame)
        kept.append(entry if entry.kind == abi.GTF_permit_access else Entry(0, 0, 0))
    return kept


def set_version(t: Table, version: int) -> None:
    """Change the layout of the table; all but the reserved entries are forgotten.

    EINVAL: no such version. EBUSY: an entry is in use. ERANGE, ENOMEM.
    """
    if version not in (1, 2):
        raise XenError("grant_version_unknown", version=version)
    if version == t.version:
        return
    for ref in range(abi.GNTTAB_NR_RESERVED_ENTRIES, t.entries):
        if t.active(ref).pin:
            raise XenError("grant_version_in_use", ref=ref, pin=t.active(ref).pin)
    kept = _reserved(t)
    if version == 2:
        grow_status(t, t.d.grant_frames)
    else:
        drop_status(t)
    for i in range(t.d.grant_frames):
        write(t.c, t.d.grant_frame[i] << PAGE_SHIFT, bytes(PAGE_SIZE))
    t.d.grant_version = version
    marks = _READING | _WRITING
    for ref, entry in enumerate(kept):
        flags = entry.flags if version == 1 else entry.flags & ~marks
        if version == 1:
            t.set_raw(ref, _words((flags, 2), (entry.domid, 2), (entry.frame, 4)))
        else:
            t.set_raw(ref, _words((flags, 2), (entry.domid, 2), (0, 4), (entry.frame, 8)))
            t.set_status(ref, entry.flags & marks)


def _words(*values: tuple[int, int]) -> bytes:
    return b"".join(value.to_bytes(size, "little") for value, size in values)


def permit(c: Any, d: Any, ref: int, domid: int, frame: int) -> None:
    """Write a whole-page grant into a domain's table: how the toolstack seeds the console's and the
    store's."""
    t = table(c, d)
    flags = int(abi.GTF_permit_access)
    if t.version == 1:
        t.set_raw(ref, _words((flags, 2), (domid, 2), (frame, 4)))
    else:
        t.set_raw(ref, _words((flags, 2), (domid, 2), (0, 4), (frame, 8)))


def swap(t: Table, a: int, b: int) -> None:
    """Exchange two entries that nobody uses."""
    for ref in (a, b):
        t.check_ref(ref)
    for ref in (a, b):
        if t.active(ref).pin:
            raise GrantError(abi.GNTST_eagain, "grant_swap_in_use", ref=ref, pin=t.active(ref).pin)
    first, second = t.raw(a), t.raw(b)
    t.set_raw(a, second)
    t.set_raw(b, first)
    if t.version == 2:
        first_status, second_status = t.status(a), t.status(b)
        t.set_status(a, second_status)
        t.set_status(b, first_status)
