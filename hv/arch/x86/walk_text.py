"""A guest's page walk in words: its tables, their shadows and the p2m, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch.x86.paging.guest import GuestWalk, ShadowStep, guest_walk
from hv.arch.x86.paging.walk import Step, flags
from hv.native import lib
from hv.p2m import p2m_text

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

_FORMATS = {0: "paging is off", 2: "32-bit tables", 3: "PAE tables", 4: "4-level tables"}
_OF = {
    int(lib.SHADOW_L1): "", int(lib.SHADOW_L2): "", int(lib.SHADOW_L3): "", int(lib.SHADOW_L4): "",
    int(lib.SHADOW_PAE): "top of ", int(lib.SHADOW_L1_32): "half of ", int(lib.SHADOW_L2_32): "quarter of ",
    int(lib.SHADOW_TOP_32): "quarters of ",
}  # fmt: skip
_LARGE = (int(lib.SHADOW_LARGE1), int(lib.SHADOW_LARGE2))
WIDTH = 62
"""Columns of the guest's side."""


def _guest(step: Step, table: int) -> str:
    return f"L{step.level} gfn {step.table:#x} (mfn {table:#x}) [{step.slot}] {step.entry:#x} {flags(step.entry)}"


def _shadow(step: ShadowStep) -> str:
    of = f"large page at gfn {step.frame:#x}" if step.kind in _LARGE else f"{_OF[step.kind]}mfn {step.frame:#x}"
    to = "nothing is kept" if not step.rights else f"mfn {step.to:#x}" if step.level == 1 else f"#{step.to}"
    return f"S{step.level} #{step.number} of {of} [{step.slot}] {step.rights}{' ' if step.rights else ''}-> {to}"


def _why_none(vcpu: Vcpu, walk: GuestWalk) -> str:
    hv = vcpu.domain.hv
    if walk.levels == 0:
        return "no shadows: paging is off"
    if lib.hv_paging(hv.native) == lib.HV_PAGING_WALK:
        return "no shadows (--paging walk)"
    return "no shadow yet of this table in this mode"


def guest_walk_text(vcpu: Vcpu, va: int) -> str:
    """All of it, several lines."""
    walk = guest_walk(vcpu, va)
    where = f" at guest-physical {walk.root:#x}" if walk.levels else ""
    lines = [f"{va:#x}: {_FORMATS[walk.levels]}{where}"]
    left = {step.level: _guest(step, table) for step, table in zip(walk.steps, walk.tables, strict=True)}
    right = {step.level: _shadow(step) for step in walk.shadows}
    if left:
        lines.append(f"{'the guest':{WIDTH}} | its shadow")
    if not right:
        right[walk.levels or 1] = _why_none(vcpu, walk)
    for level in range(4, 0, -1):
        if level in left or level in right:
            lines.append(f"{left.get(level, ''):{WIDTH}} | {right.get(level, '')}".rstrip())
    if not walk.mapped:
        return "\n".join([*lines, "not mapped"])
    return "\n".join([*lines, f"-> {p2m_text(walk.gfn, walk.p2m)}"])
