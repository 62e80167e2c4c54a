"""hvm_op on ARM: a guest reads parameters and sets none; its events come by the interrupt that its device tree names.

Source: xen/arch/arm/hvm.c of Xen 4.17.
"""

from __future__ import annotations

from hv import abi

OPERATIONS = frozenset({abi.HVMOP_set_param, abi.HVMOP_get_param})
GUEST_MAY_SET: frozenset[int] = frozenset()
GUEST_MAY_READ = frozenset({abi.HVM_PARAM_CALLBACK_IRQ})
"""Beside those that every guest may read."""
SET_ONCE: frozenset[int] = frozenset()
