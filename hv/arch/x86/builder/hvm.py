"""Build an HVM domain: a PC with its firmware, as it is when power comes on.

The firmware's image lies right below 4 GiB, read-only, and its end shows below 1 MiB until the host bridge's PAM
registers put RAM there. An ELF file in place of a BIOS image is entered at its entry point instead, in flat 32-bit
mode, as Xen's `firmware_override` enters it in place of hvmloader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hv import abi
from hv.arch.x86.builder.pvh import enter_flat, give_memory, special_pages
from hv.builder import elf
from hv.builder.image import PAGE_SIZE, BuilderError
from hv.devices.layout import BIOS_WINDOW, FIRMWARE_END, HOLE, MMIO_HOLE, SHADOW
from hv.native import lib

if TYPE_CHECKING:
    from hv.domain import Domain

LARGEST_FIRMWARE = 16 << 20
ROM = int(lib.P2M_RAM)


class HvmDomain(NamedTuple):
    """How a domain was built: guest-physical addresses. `entry`: None for the reset vector."""

    firmware: int
    entry: int | None


def build_hvm(domain: Domain, firmware: bytes, name: str = "firmware") -> HvmDomain:
    """Give the empty `domain` its memory and firmware. The devices are the caller's to add, and the reset that comes
    before the first instruction too (Platform.reset(), then start()). BuilderError: no firmware fits this."""
    pages = int(domain.c.max_pages)
    domain.c.max_pages += abi.HVM_SPECIAL_GFNS
    domain.c.max_pages -= len(HOLE)
    give_memory(domain, pages, min(pages << 12, MMIO_HOLE.start), HOLE)
    _keep_shadow(domain)
    special_pages(domain)
    if firmware[:4] == elf.MAGIC:
        return HvmDomain(0, _load_elf(domain, firmware, name))
    return HvmDomain(_place_firmware(domain, firmware, name), None)


def start(domain: Domain, built: HvmDomain) -> None:
    """After the reset: enter the firmware where it is no BIOS."""
    if built.entry is not None:
        enter_flat(domain, built.entry, 0)


def _keep_shadow(domain: Domain) -> None:
    """RAM under the ROMs, for PAM: in frames of Xen's, so that the guest cannot give back what PAM shows again."""
    frames = domain.alloc_frames(len(SHADOW) >> 12, shared=True)
    if len(frames) < len(SHADOW) >> 12:
        raise BuilderError("--memory", "no room for the RAM under the ROMs", "give the domain less memory")
    lib.hv_hvm_domain(domain.hv.native, domain.c).shadow_frame[0 : len(frames)] = frames


def _place_firmware(domain: Domain, firmware: bytes, name: str) -> int:
    if not firmware or len(firmware) % PAGE_SIZE or len(firmware) > LARGEST_FIRMWARE:
        accepted = f"give a multiple of {PAGE_SIZE} up to {LARGEST_FIRMWARE >> 20} MiB"
        raise BuilderError(name, f"{len(firmware)} bytes are no BIOS image", accepted)
    pages = len(firmware) // PAGE_SIZE
    frames = domain.alloc_frames(pages, shared=True)
    if len(frames) < pages:
        raise BuilderError("--memory", "no room for the firmware", "give the domain less memory")
    first = (FIRMWARE_END >> 12) - pages
    domain.map_frames(first, frames)
    domain.write_physical(first << 12, firmware)
    domain.map_frames(first, frames, ROM)
    window = frames[-(len(BIOS_WINDOW) >> 12) :]
    domain.map_frames((BIOS_WINDOW.stop >> 12) - len(window), window, ROM)
    return first << 12


def _load_elf(domain: Domain, firmware: bytes, name: str) -> int:
    image = elf.read(name, memoryview(firmware))
    for segment in image.segments:
        gfns = range(segment.paddr >> 12, -(-(segment.paddr + segment.memsz) // PAGE_SIZE))
        if any(domain.frame_of(gfn) is None for gfn in gfns):
            problem = f"its segment at {segment.paddr:#x} lies where the domain has no memory"
            raise BuilderError(name, problem, "give the domain more memory, or link it elsewhere")
        domain.write_physical(segment.paddr, segment.data)
    if image.entry >= 1 << 32:
        raise BuilderError(name, f"its entry point {image.entry:#x} is not below 4 GiB", "link it lower")
    return image.entry
