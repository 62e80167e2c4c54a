"""From a kernel file to an x86 domain: which files there are, what kind of domain one is for, and how that is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv import abi
from hv.builder.image import BuilderError, KernelFormat, KernelImage
from hv.native import lib

if TYPE_CHECKING:
    from hv.builder.origin import Origin
    from hv.domain import Domain

MACHINES = ("x86_64", "i386")
"""KernelImage.machine of the kernels that run here."""
OPTIONS: dict[str, tuple[str, ...]] = {}
"""Choices of the machine that are x86's alone (GuestConfig.machine): those of a PC have options of their own."""


def _bzimage(name: str, data: memoryview, packing: tuple[str, ...]) -> KernelImage | None:
    from hv.arch.x86.builder import bzimage  # most kernels of a test are ELF files
    from hv.builder import compress, elf

    if not bzimage.is_bzimage(data):
        return None
    setup = bzimage.read(name, data)
    payload = setup.payload
    packed = compress.detect(payload)
    if packed is not None:
        payload, packing = memoryview(compress.unpack(name, payload, packed)), (*packing, packed.name)
    elif bytes(payload[:4]) != elf.MAGIC:
        raise BuilderError(
            name,
            f"its payload begins with {bytes(payload[:4]).hex(' ')}, which is no compression we know",
            "use a kernel packed with gzip, bzip2, lzma, xz, lz4 or zstd",
        )
    return elf.read(name, payload, kind="bzImage", packing=packing, version=setup.version)


def _multiboot(name: str, data: memoryview, packing: tuple[str, ...]) -> KernelImage | None:
    if abi.MULTIBOOT_HEADER_MAGIC.to_bytes(4, "little") not in bytes(data[: abi.MULTIBOOT_SEARCHED]):
        return None
    from hv.arch.x86.builder.multiboot import read_flat  # few kernels have that header

    image = read_flat(name, data)
    return None if image is None else image._replace(packing=packing)


FORMATS = (KernelFormat("bzImage", _bzimage), KernelFormat("flat Multiboot kernel", _multiboot))


def is_multiboot(image: KernelImage) -> bool:
    """Whether a kernel has a Multiboot header, so that a PC can be booted with it."""
    from hv.arch.x86.builder.multiboot import header_of

    return header_of(image.file) is not None


def kind_of(image: KernelImage, kind: str, forced_emulation: bool) -> str:
    """Which kind of domain a kernel is for; `kind`: the one that was asked for, or auto. BuilderError: for none, or not
    for that one, or not with the forced emulation prefix."""
    notes = image.notes
    if kind == "auto" and notes is None and is_multiboot(image):
        return "hvm"
    if kind == "auto":
        only_pvh = notes is not None and notes.phys32_entry is not None and notes.virt_base is None
        kind = "pvh" if only_pvh else "pv"
    if kind == "pv":
        from hv.arch.x86.builder.placement import pv_placement

        pv_placement(image)
        if forced_emulation:
            raise BuilderError("--fep", "PV guests have the prefix for CPUID, and for nothing else", "leave it out")
    return kind


def describe(image: KernelImage) -> dict[str, Any]:
    """What `hv info` says of a kernel beside what its file says: the kinds of domain that it can be, where it lies as a
    PV kernel, and why it cannot be one."""
    from hv.arch.x86.builder.placement import pv_placement

    types, place, refused = [], None, None
    try:
        place = pv_placement(image)._asdict()
        types.append(f"pv{image.bits}")
    except BuilderError as error:
        refused = f"{error.problem}; {error.remedy}"
    if image.notes is not None and image.notes.phys32_entry is not None:
        types.append("pvh")
    return {"types": types, "pv": place, "pv_refused": refused}


def build(domain: Domain, origin: Origin) -> object:
    """Fill an empty domain: how it was built. An HVM domain's machine is there already. BuilderError."""
    if origin.kind == "hvm":
        from hv.arch.x86.builder.pc import switch_on

        return switch_on(domain, origin.firmware, origin.firmware_name)
    builder: Any
    if origin.kind == "pvh":
        from hv.arch.x86.builder.pvh import build_pvh as builder
    else:
        from hv.arch.x86.builder.start import start_pv as builder
    built: object = builder(domain, origin.image, cmdline=origin.cmdline, ramdisk=origin.ramdisk)
    return built


def choose(domain: Domain, origin: Origin) -> None:
    """What a triple fault is, which the guest may change; and whether there is a forced emulation prefix."""
    if domain.translated:
        state = lib.hv_hvm_domain(domain.hv.native, domain.c)
        state.params[abi.HVM_PARAM_TRIPLE_FAULT_REASON] = origin.triple_fault
        state.forced_emulation = origin.forced_emulation


def reconnect(domain: Domain) -> None:
    """Make what stands around the processors of a domain that is restored or forked, not built."""
    if domain.machine is not None:
        from hv.arch.x86.builder.pc import make_pc

        make_pc(domain, domain.machine)
    elif domain.translated:
        from hv.devices.platform import Platform

        Platform(domain)
