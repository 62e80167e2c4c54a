"""A PC that is switched on for the first time, and what its firmware is to do with a kernel (hv.toolstack.pc)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hv.arch.x86.builder.boot_rom import cmdline_items
from hv.arch.x86.builder.bzimage import is_bzimage
from hv.arch.x86.builder.e820 import low_end
from hv.arch.x86.builder.hvm import build_hvm, start
from hv.arch.x86.builder.linux_boot import linux_items
from hv.arch.x86.builder.multiboot import multiboot_items
from hv.arch.x86.builder.pc import make_pc
from hv.builder.image import BuilderError
from hv.builder.load import parse_kernel, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from hv.devices.pc import PcMachine
    from hv.domain import Domain


class Given(NamedTuple):
    """What a PC's firmware is given to load: a Linux or Multiboot kernel, or none, but then perhaps a command line.
    `ramdisk`: a file, or the modules of a Multiboot kernel as "FILE[ TEXT],FILE[ TEXT]..."."""

    kernel: str | Path | None
    cmdline: str
    ramdisk: str | Path | None


def power_on(domain: Domain, machine: PcMachine, firmware: bytes, name: str, given: Given) -> bool:
    """Build a PC in the empty `domain` and switch it on. Whether what is in the place of its firmware, the file `name`,
    is an ELF file, so that it has symbols. BuilderError."""
    built = build_hvm(domain, firmware, name)
    if given.kernel is not None:
        items = _kernel_items(given, given.kernel, machine.memory)
        machine = machine._replace(items=tuple(items.items()), kernel=True)
    elif built.entry is not None and given.cmdline:
        machine = machine._replace(items=tuple(cmdline_items(given.cmdline).items()))
    try:
        make_pc(domain, machine).reset()
    except MemoryError as error:
        raise BuilderError("--memory", str(error).split(";")[0], "give the domain less memory") from None
    start(domain, built)
    return built.entry is not None


def _kernel_items(given: Given, kernel: str | Path, memory: int) -> dict[str, bytes]:
    data = read_file(kernel, "kernel")
    if is_bzimage(memoryview(data)):
        ramdisk = b"" if given.ramdisk is None else read_file(given.ramdisk, "ramdisk")
        return linux_items(str(kernel), data, cmdline=given.cmdline, ramdisk=ramdisk, low_end=low_end(memory))
    return multiboot_items(
        parse_kernel(str(kernel), data), cmdline=given.cmdline, modules=_modules(given.ramdisk),
        low_end=low_end(memory),
    )  # fmt: skip


def _modules(ramdisk: str | Path | None) -> list[tuple[str, bytes]]:
    """Modules of a Multiboot kernel: plain name and text of each, its contents."""
    modules = []
    for module in filter(None, str(ramdisk or "").split(",")):
        path, space, text = module.partition(" ")
        plain = path.rpartition("/")[2]
        modules.append((f"{plain}{space}{text}", read_file(path, "ramdisk")))
    return modules
