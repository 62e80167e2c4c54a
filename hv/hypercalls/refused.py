"""The hypercalls that belong to the control domain or to options that are not built in.

Each checks its argument as far as Xen 4.17 does before it looks at the caller's rights, so that an unprivileged
domain gets the errno that it gets there. Sources: xen/common/{domctl,sysctl,kexec,hypfs,dm}.c,
xen/arch/{x86,arm}/platform_hypercall.c, xen/include/xsm/dummy.h.
Built without: tmem (gone since 4.13), Argo, Flask (xsm_op) and Xenoprof.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.errors import XenError
from hv.hypercall import Context, hypercall

# hypercall -> the structure that is copied in first, and the interface version it must name
VERSIONED = {
    "sysctl": ("xen_sysctl", abi.XEN_SYSCTL_INTERFACE_VERSION),
    "domctl": ("xen_domctl", abi.XEN_DOMCTL_INTERFACE_VERSION),
    "platform_op": ("xen_platform_op", abi.XENPF_INTERFACE_VERSION),
}
CONTROL_DOMAIN_ONLY = ("kexec_op", "hypfs_op")
NOT_BUILT_IN = ("tmem_op", "argo_op", "xsm_op", "xenoprof_op")


def control_domain_only(ctx: Context, arg: dict[str, Any]) -> int:
    """EPERM before anything is looked at."""
    raise XenError("control_domain_only", hypercall=ctx.nr)


def not_built_in(ctx: Context, arg: dict[str, Any]) -> int:
    """ENOSYS."""
    raise XenError("not_built_in", hypercall=ctx.nr)


def versioned(ctx: Context, arg: dict[str, Any]) -> int:
    """EFAULT for the argument, EACCES for a version that is not ours, then EPERM."""
    expected = VERSIONED[abi.HYPERCALLS[ctx.nr]][1]
    if arg["interface_version"] != expected:
        raise XenError(
            "interface_version", hypercall=ctx.nr, version=arg["interface_version"], expected=expected
        )
    raise XenError("control_domain_only", hypercall=ctx.nr)


for _name in CONTROL_DOMAIN_ONLY:
    hypercall(_name)(control_domain_only)
for _name in NOT_BUILT_IN:
    hypercall(_name)(not_built_in)
for _name, (_struct, _version) in VERSIONED.items():
    hypercall(_name, arg=_struct)(versioned)


@hypercall("dm_op")
def dm_op(ctx: Context, arg: dict[str, Any]) -> int:
    """A device model's requests about another domain."""
    buffers = ctx.args[1] & 0xFFFFFFFF
    if buffers > abi.XEN_DMOP_MAX_BUFS:
        raise XenError("dm_op_buffers", buffers=buffers, limit=abi.XEN_DMOP_MAX_BUFS)
    if buffers:
        ctx.read(ctx.args[2], buffers * abi.layout("xen_dm_op_buf", ctx.abi).size)
    domid = ctx.args[0] & 0xFFFF
    if ctx.is_self(domid):
        raise XenError("dm_op_self", domid=ctx.domain.domid)
    ctx.find_domain(domid)
    raise XenError("other_domain_denied", domid=domid)
