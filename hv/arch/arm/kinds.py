"""The kinds of domain on ARM. Both have one guest ABI: longs and handles of 64 bits."""

from hv.arch import Kind
from hv.native import lib

KINDS = () if not hasattr(lib, "hv_arm_domain") else (
    Kind("arm64", lib.DOMAIN_ARM64, True, "arm", "arm"),
    Kind("arm32", lib.DOMAIN_ARM32, True, "arm", "arm", registers="registers32"),
)
"""AArch64 at EL1; AArch32, as ARMv7 has it. None, where the module was built without the ARM engine."""
