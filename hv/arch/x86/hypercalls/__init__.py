"""Hypercalls and sub-operations that only x86 guests have: one file a hypercall. hv.hypercall finds them."""

from hv.hypercall import of_architecture

hypercall = of_architecture("x86")
"""Registers a handler of x86's."""
