"""Launch a guest: one Hypervisor, one domain built from a kernel, its console and xenstore connected.

    guest = launch("vmlinuz", GuestConfig(memory_mib=256, cmdline="console=hvc0"))
    guest.hv.run()
    print(guest.console.text())

`hv run`, `hv test` and the pytest plugin all start their guests here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hv.builder.image import BuilderError, KernelImage
from hv.builder.load import load_kernel, read_file
from hv.builder.placement import pv_placement
from hv.builder.pv import domain_pages
from hv.builder.start import start_pv
from hv.hypervisor import DEFAULT_QUANTUM, OVERHEAD_MIB, Hypervisor
from hv.native import NativeError
from hv.toolstack.connect import Console, Sink, XenstoreHost

if TYPE_CHECKING:
    from pathlib import Path

    from hv.builder.pv import PvDomain
    from hv.domain import Domain


class GuestConfig(NamedTuple):
    """What a guest is given. `wallclock_ns`: the date at its start; None: the fixed one of hv.clock."""

    memory_mib: int = 128
    vcpus: int = 1
    cmdline: str = ""
    ramdisk: str | Path | None = None
    quantum: int = DEFAULT_QUANTUM
    seed: int = 0
    wallclock_ns: int | None = None
    name: str = "guest"


class Guest:
    """A launched guest: its hypervisor, its domain, how it was built, and its console."""

    def __init__(
        self, hv: Hypervisor, domain: Domain, built: PvDomain, image: KernelImage, console: Console, store: XenstoreHost
    ) -> None:
        self.hv = hv
        self.domain = domain
        self.built = built
        self.image = image
        self.console = console
        self.store = store


def launch(kernel: str | Path | KernelImage, config: GuestConfig | None = None, sink: Sink | None = None) -> Guest:
    """Build a guest, ready to run. `sink` gets its console output; without one the console keeps it.

    BuilderError, one line, for inputs that make no guest.
    """
    config = config or GuestConfig()
    pages = domain_pages(config.memory_mib)
    image = kernel if isinstance(kernel, KernelImage) else load_kernel(kernel)
    pv_placement(image)  # before memory is taken: what is no PV kernel is refused for that
    ramdisk = b"" if config.ramdisk is None else read_file(config.ramdisk, "ramdisk")
    _check_host(config.memory_mib)
    assert pages == config.memory_mib << 8
    try:
        hv = Hypervisor(
            memory_mib=config.memory_mib,
            quantum=config.quantum,
            seed=config.seed,
            wallclock_ns=config.wallclock_ns,
        )
        domain = hv.create_domain(config.name, memory_mib=config.memory_mib, vcpus=config.vcpus)
    except NativeError as error:
        raise BuilderError(
            "--memory", f"{config.memory_mib} MiB: {error}", "give the guest less memory"
        ) from None
    built = start_pv(domain, image, cmdline=config.cmdline, ramdisk=ramdisk)
    store = XenstoreHost()
    console = Console(domain, sink)
    store.connect(domain, config.memory_mib << 10)
    return Guest(hv, domain, built, image, console, store)


def _check_host(memory_mib: int) -> None:
    """Memory is taken when it is touched, so the host would notice only in the middle of a run."""
    have = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    if memory_mib + OVERHEAD_MIB > have:
        raise BuilderError(
            "--memory", f"{memory_mib} MiB is more than the host has ({have} MiB)",
            f"give at most {max(have - OVERHEAD_MIB, 1)}",
        )  # fmt: skip
