"""event_channel_op_compat and physdev_op_compat: the old numbers, whose argument carries the command.

They hand the operation to the new hypercall. Source: xen/arch/x86/compat.c.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from hv import abi
from hv.arch.x86.hypercalls import hypercall
from hv.errors import XenError
from hv.hypercall import Context, Disposition, dispatch

EVENT_CHANNEL_COMMANDS = frozenset(range(abi.EVTCHNOP_unmask + 1))
PHYSDEV_COMMANDS = frozenset(
    {
        abi.PHYSDEVOP_irq_status_query, abi.PHYSDEVOP_set_iopl, abi.PHYSDEVOP_set_iobitmap,
        abi.PHYSDEVOP_apic_read, abi.PHYSDEVOP_apic_write,
    }
)  # fmt: skip


def forward(ctx: Context, name: str, struct: str, commands: frozenset[int]) -> int | Disposition:
    """Make the new call with the command and the address of the union in the old one's argument."""
    address = ctx.args[0]
    command = ctx.read_struct(struct, address)["cmd"]
    if command not in commands:
        raise XenError("unknown_subop", hypercall=ctx.nr, subop=command)
    inner = address + abi.layout(struct, ctx.abi).offset("u")
    new = copy(ctx)
    new.nr, new.args = abi.HYPERCALL_NUMBERS[name], [command, inner, 0, 0, 0, 0]
    return dispatch(new, hypercall)


@hypercall("event_channel_op_compat")
def event_channel_op_compat(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
    """event_channel_op as it was before interface version 0x00030202."""
    return forward(ctx, "event_channel_op", "evtchn_op", EVENT_CHANNEL_COMMANDS)


@hypercall("physdev_op_compat")
def physdev_op_compat(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
    """physdev_op as it was before interface version 0x00030202."""
    return forward(ctx, "physdev_op", "physdev_op", PHYSDEV_COMMANDS)
