"""The kinds of domain on x86."""

from hv.arch import Kind
from hv.native import lib

KINDS = (
    Kind("pv", lib.DOMAIN_PV64, False, "x86_64", "x86_32"),
    Kind("pvh", lib.DOMAIN_PVH, True, "x86_64", "x86_32"),
    Kind("hvm", lib.DOMAIN_HVM, True, "x86_64", "x86_32"),
)
"""Paravirtual; fully virtual without and with the devices of a PC."""
