"""How an address of an HVM or PVH guest is translated: its own tables, their shadows, and the p2m (docs/paging.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hv.arch.x86.paging.walk import FRAME_MASK, Step
from hv.native import check, ffi, lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

_INDEX = {4: ((12, 9), (21, 9), (30, 9), (39, 9)), 3: ((12, 9), (21, 9), (30, 2)), 2: ((12, 10), (22, 10))}
"""By levels: the lowest bit and the number of bits of an address that index each table, level 1 first."""
PAE_ROOT = 0xFFFFFFE0
_RIGHTS = (
    ("present", "P"), ("writable", "W"), ("user", "U"), ("dirty", "D"), ("no_exec", " NX"), ("read_only", " ro"),
)  # fmt: skip


class ShadowStep(NamedTuple):
    """One entry of a shadow."""

    level: int
    number: int
    kind: int
    """SHADOW_* of native/xen/xen.h."""
    frame: int
    """The machine frame of the table that it is a shadow of; of a large page, its first guest frame."""
    slot: int
    rights: str
    """As of an entry of a guest's; `ro`: the p2m allows no writes. Empty: nothing is kept here."""
    to: int
    """A machine frame at level 1, the number of a shadow elsewhere."""


class GuestWalk(NamedTuple):
    """Of one linear address."""

    levels: int
    """4, 3 (PAE) or 2; 0: paging is off."""
    root: int
    """Guest-physical address of the top-level table."""
    steps: tuple[Step, ...]
    """Entries from the top down to where the walk ended; tables are guest frames."""
    tables: tuple[int, ...]
    """The machine frames of these tables."""
    mapped: bool
    gfn: int
    p2m: int
    """The p2m's entry for `gfn`, P2M_* flags and machine frame; 0: nothing stands there."""
    shadows: tuple[ShadowStep, ...]
    """From the top down to where no more is kept; empty if there are none for the table and mode of the vcpu."""


def _rights(step: Any) -> str:
    return "".join(text for name, text in _RIGHTS if getattr(step, name)) if step.present else ""


def guest_walk(vcpu: Vcpu, va: int) -> GuestWalk:
    """The translation of `va` in the vcpu's present mode, for a read of the kernel's. Marks nothing.

    Raises NativeError for a vcpu of a PV domain.
    """
    c = ffi.new("struct hv_guest_walk *")
    check(lib.hv_guest_walk(vcpu.domain.hv.native, vcpu.c, va, c), "walk of a guest's tables")
    levels = int(c.levels)
    root = int(c.root) & (PAE_ROOT if levels == 3 else FRAME_MASK)
    steps, tables, table = [], [], root
    for level in range(levels, int(c.last) - 1 if levels else 0, -1):
        shift, bits = _INDEX[levels][level - 1]
        if not c.place[level - 1]:
            break
        steps.append(Step(level, table >> 12, va >> shift & (1 << bits) - 1, int(c.entry[level - 1])))
        tables.append(int(c.place[level - 1]) >> 12)
        table = int(c.entry[level - 1]) & FRAME_MASK
    shadows = []
    for level in range(int(c.shadow_levels), 0, -1):
        s = c.shadow[level - 1]
        if s.reached:
            shadows.append(ShadowStep(level, s.number, s.kind, s.frame, s.slot, _rights(s), s.to))
    return GuestWalk(levels, root, tuple(steps), tuple(tables), bool(c.mapped), c.gfn, c.p2m, tuple(shadows))
