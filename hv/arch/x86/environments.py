"""The environments of x86 guests."""

from hv.arch.environment import Environment, variant

_NO_FLOATS_64 = "-mcpu=x86_64-mmx-sse-sse2+soft_float"
"""Trap entries save general registers only, so C must not use others."""

_PV64 = Environment(
    name="pv64",
    target="x86_64-freestanding-none",
    # PV frames are pushed right below rsp: no red zone. Linked in the top 2 GiB: the kernel code model.
    flags=("-mno-red-zone", "-mcmodel=kernel", _NO_FLOATS_64),
    folders=("pv64", "pv", "x86_64", "x86", "core"),
    emulation="elf_x86_64",
    base=0xFFFFFFFF80000000,
    help="64-bit PV, in the upper half as Linux is",
)
_PVH64 = Environment(
    name="pvh64",
    target="x86_64-freestanding-none",
    flags=("-mno-red-zone", _NO_FLOATS_64),
    folders=("hvm64", "hvm", "whole", "x86_64", "x86", "core"),
    emulation="elf_x86_64",
    kind="pvh",
    help="64-bit on a whole processor, entered by PVH",
)
_HVM32 = Environment(
    name="hvm32",
    target="x86-freestanding-none",
    flags=("-mcpu=i686+soft_float",),
    folders=("hvm32", "hvm", "whole", "x86_32", "x86", "core"),
    emulation="elf_i386",
    kind="hvm",
    help="32-bit without paging, on a whole processor in a PC, in place of its firmware",
)
_HVM32PAE = variant(_HVM32, "hvm32pae", "hvm", "the same with PAE", "-DGUEST_PAE")

ENVIRONMENTS = (
    _PV64,
    # The same at the other end of the address space, as GRUB has it.
    _PV64._replace(
        name="pv64low", flags=("-mno-red-zone", _NO_FLOATS_64, "-DGUEST_LOW"), base=0,
        help="64-bit PV, at low addresses as GRUB is",
    ),
    # With what Linux asks for: the p2m at an address of its own, the ramdisk by its frame number.
    _PV64._replace(
        name="pv64p2m", flags=(*_PV64.flags, "-DGUEST_P2M"),
        help="64-bit PV, with the p2m at an address of its own, as Linux asks for it",
    ),
    _PVH64,
    _HVM32,
    variant(_PVH64, "hvm64", "hvm", "64-bit on a whole processor in a PC, in place of its firmware"),
    variant(_HVM32, "hvm32pse", "hvm", "the same with two levels of page tables and 4 MiB pages", "-DGUEST_PSE"),
    _HVM32PAE,
    variant(
        _HVM32, "multiboot", "hvm", "32-bit, a Multiboot kernel that a PC loads", "-DGUEST_MULTIBOOT", loaded=True
    ),
    variant(_HVM32PAE, "pvh32", "pvh", "32-bit with PAE on a whole processor, entered by PVH"),
)  # fmt: skip
