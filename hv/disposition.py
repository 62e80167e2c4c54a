"""What happens to a vcpu when its hypercall has been answered."""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = ["BLOCK", "CRASH", "RESUME", "RETRY", "Action", "Disposition"]


class Action(enum.Enum):
    """The four ways on."""

    RESUME = "resume"  # store the result, the guest goes on
    RETRY = "retry"    # store the (changed) arguments and execute the hypercall again: a continuation
    BLOCK = "block"    # store the result; the handler has put the vcpu to sleep
    CRASH = "crash"    # the domain is given up


class Disposition(NamedTuple):
    """What a handler may return instead of a plain number. `value` is the guest's result, `reason` for people."""

    action: Action
    value: int = 0
    reason: str = ""


def RESUME(value: int) -> Disposition:
    """The result `value` and go on; the same as returning `value`."""
    return Disposition(Action.RESUME, value)


def CRASH(reason: str) -> Disposition:
    """Give the domain up, as Xen's domain_crash()."""
    return Disposition(Action.CRASH, 0, reason)


RETRY = Disposition(Action.RETRY)
"""Execute the hypercall again with ``ctx.args`` as they are now: for work that is cut into pieces."""

BLOCK = Disposition(Action.BLOCK)
"""The result is 0 and the vcpu sleeps: the handler has marked it blocked or down, or shut its domain down."""
