"""set_timer_op(timeout): VIRQ_TIMER for the calling vcpu at a system time; 0 cancels. It never fails."""

from __future__ import annotations

from typing import Any

from hv import clock
from hv.hypercall import Context, hypercall


@hypercall("set_timer_op")
def set_timer_op(ctx: Context, _arg: dict[str, Any]) -> int:
    """The same timer as VCPUOP_set_singleshot_timer's."""
    timeout = ctx.args[0]
    if ctx.word_size() == 4:  # in two halves
        timeout = (ctx.args[0] & 0xFFFF_FFFF) | (ctx.args[1] & 0xFFFF_FFFF) << 32
    clock.set_timer(ctx.hv.native, ctx.vcpu.c, timeout)
    return 0
