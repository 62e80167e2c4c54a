"""Hypercalls of x86 that belong to the control domain or to options that are not built in, beside those that
every architecture has (hv/hypercalls/refused.py).

Source: xen/arch/x86/{domctl,cpu/vpmu}.c, xen/arch/x86/cpu/mcheck/mce.c of Xen 4.17.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.arch.x86.hypercalls import hypercall
from hv.errors import XenError
from hv.hypercall import Context


@hypercall("mca")
def mca(ctx: Context, arg: dict[str, Any]) -> int:
    """Machine checks: EPERM before anything is looked at."""
    raise XenError("control_domain_only", hypercall=ctx.nr)


@hypercall("paging_domctl_cont", arg="xen_domctl")
def paging_domctl_cont(ctx: Context, arg: dict[str, Any]) -> int:
    """The rest of a domctl that Xen itself interrupted."""
    version, command = arg["interface_version"], arg["cmd"]
    if version != abi.XEN_DOMCTL_INTERFACE_VERSION or command != abi.XEN_DOMCTL_shadow_op:
        raise XenError("not_a_continuation", hypercall=ctx.nr)
    raise XenError("control_domain_only", hypercall=ctx.nr)


@hypercall("xenpmu_op")
def xenpmu_op(ctx: Context, arg: dict[str, Any]) -> int:
    """Performance counters: as Xen without vpmu=on."""
    raise XenError("no_vpmu", hypercall=ctx.nr)
