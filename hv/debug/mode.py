"""How a vcpu executes what stands before it, which its architecture tells (hv.arch.mode)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch import architecture

if TYPE_CHECKING:
    from hv.arch.mode import Mode
    from hv.vcpu import Vcpu


def mode_of(vcpu: Vcpu) -> Mode:
    """As the vcpu stands."""
    mode: Mode = architecture(vcpu.domain.kind.abi, "mode").mode_of(vcpu)
    return mode


def linear_pc(vcpu: Vcpu) -> int:
    """The linear address of a vcpu's next instruction."""
    return mode_of(vcpu).pc
