"""How a vcpu executes what stands before it, which its architecture tells (hv.arch.mode)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch import architecture

if TYPE_CHECKING:
    from hv.arch.mode import FrameRecord, Mode
    from hv.vcpu import Vcpu


def mode_of(vcpu: Vcpu) -> Mode:
    """As the vcpu stands."""
    mode: Mode = architecture(vcpu.domain.kind.abi, "mode").mode_of(vcpu)
    return mode


def record_of(vcpu: Vcpu, mode: Mode) -> FrameRecord | None:
    """How calls are found on the stack of a vcpu in such a mode; None: by what describes the code."""
    record: FrameRecord | None = architecture(vcpu.domain.kind.abi, "mode").record_of(mode)
    return record


def linear_pc(vcpu: Vcpu) -> int:
    """The linear address of a vcpu's next instruction."""
    return mode_of(vcpu).pc
