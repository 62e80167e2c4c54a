"""console_io: the hypervisor's own console.

Any domain may write, as under a Xen built with CONFIG_VERBOSE_DEBUG; reading is the control domain's. What is written
goes to Domain.write_console(). Sources: do_console_io() in xen/drivers/char/console.c, xsm_console_io() in
xen/include/xsm/dummy.h.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.errors import XenError
from hv.hypercall import RETRY, Context, Disposition, hypercall

CHUNK = 4096
"""Bytes at most before the call is continued: a length is the guest's to choose, the host's time is not."""


@hypercall("console_io")
def console_io(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
    """Write a piece; the call is continued for the rest."""
    if ctx.subop != abi.CONSOLEIO_write:
        raise XenError("console_io_denied", command=ctx.subop)
    count, address = ctx.args[1] & 0xFFFFFFFF, ctx.args[2]
    now = min(count, CHUNK)
    if now:
        ctx.domain.write_console(ctx.read(address, now))
    if now == count:
        return 0
    ctx.args[1], ctx.args[2] = count - now, address + now
    return RETRY
