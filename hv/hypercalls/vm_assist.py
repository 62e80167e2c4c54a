"""vm_assist: switch an assist of the domain on or off.

What an assist does is done elsewhere: architectural_iopl in the frames of native/xen/x86/bounce.c and in iret,
runstate_update_flag in runstate.c, m2p_strict in mm_window.c. The writable page tables and the 4gb segments of 32-bit
guests are always so. Source: vm_assist() in xen/common/kernel.c; the valid ones for 64-bit PV from asm/config.h.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.errors import XenError
from hv.hypercall import Context, hypercall

VALID = (
    1 << abi.VMASST_TYPE_4gb_segments
    | 1 << abi.VMASST_TYPE_4gb_segments_notify
    | 1 << abi.VMASST_TYPE_writable_pagetables
    | 1 << abi.VMASST_TYPE_pae_extended_cr3
    | 1 << abi.VMASST_TYPE_architectural_iopl
    | 1 << abi.VMASST_TYPE_runstate_update_flag
    | 1 << abi.VMASST_TYPE_m2p_strict
)


@hypercall("vm_assist")
def vm_assist(ctx: Context, arg: dict[str, Any]) -> int:
    """Enable or disable one assist. The type is judged before the command, as in Xen."""
    command, kind = ctx.subop, ctx.args[1] & 0xFFFFFFFF
    if kind >= 64 or not VALID >> kind & 1:
        raise XenError("vm_assist_type", type=kind, valid=VALID)
    if command == abi.VMASST_CMD_enable:
        ctx.domain.c.vm_assist |= 1 << kind
    elif command == abi.VMASST_CMD_disable:
        ctx.domain.c.vm_assist &= ~(1 << kind) & 0xFFFFFFFFFFFFFFFF
    else:
        raise XenError("unknown_subop", hypercall=ctx.nr, subop=command)
    return 0
