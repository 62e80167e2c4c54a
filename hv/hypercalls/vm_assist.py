"""vm_assist: switch an assist of the domain on or off.

Which there are, and what each does, is the architecture's (hv/arch/NAME/interface.py). Source: vm_assist() in
xen/common/kernel.c.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.arch import architecture
from hv.errors import XenError
from hv.hypercall import Context, hypercall


@hypercall("vm_assist")
def vm_assist(ctx: Context, arg: dict[str, Any]) -> int:
    """Enable or disable one assist. The type is judged before the command, as in Xen."""
    command, kind = ctx.subop, ctx.args[1] & 0xFFFFFFFF
    valid = architecture(ctx.domain.abi, "interface").assists(ctx.domain)
    if kind >= 64 or not valid >> kind & 1:
        raise XenError("vm_assist_type", type=kind, valid=valid)
    if command == abi.VMASST_CMD_enable:
        ctx.domain.c.vm_assist |= 1 << kind
    elif command == abi.VMASST_CMD_disable:
        ctx.domain.c.vm_assist &= ~(1 << kind) & 0xFFFFFFFFFFFFFFFF
    else:
        raise XenError("unknown_subop", hypercall=ctx.nr, subop=command)
    return 0
