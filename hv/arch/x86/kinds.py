"""The kinds of domain on x86."""

from hv.arch import Kind
from hv.native import lib

_PC_MIB = 18
"""Video memory and firmware."""
_PC_QUANTUM = 1_000_003
"""SeaBIOS spins on a lock in a loop of eight instructions: turns that are a multiple of that would always end at the
same one of them."""
KINDS = (
    Kind("pv", lib.DOMAIN_PV64, False, "x86_64", "x86_32"),
    Kind("pvh", lib.DOMAIN_PVH, True, "x86_64", "x86_32"),
    Kind("hvm", lib.DOMAIN_HVM, True, "x86_64", "x86_32", extra_mib=_PC_MIB, quantum=_PC_QUANTUM),
)
"""Paravirtual; fully virtual without and with the devices of a PC."""
