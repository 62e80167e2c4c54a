"""Launch a guest: one Hypervisor, one domain built from a kernel, its console and xenstore connected.

    guest = launch("vmlinuz", GuestConfig(memory_mib=256, cmdline="console=hvc0"))
    guest.hv.run()
    print(guest.console.text())

`hv run`, `hv test` and the pytest plugin all start their guests here.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from hv.arch import Kind, kind_named, kinds
from hv.builder.image import BuilderError, KernelImage, check_cmdline, check_vcpus, domain_pages
from hv.builder.load import boot_module, load_kernel, read_file
from hv.hypervisor import DEFAULT_PAGING, DEFAULT_QUANTUM, Hypervisor, overhead_mib
from hv.native import NativeError
from hv.toolstack.backends import Backends
from hv.toolstack.connect import Console, Sink, XenstoreHost, reconnect
from hv.toolstack.restart import build, origin_of, remember, restart

if TYPE_CHECKING:
    from pathlib import Path

    from hv.devices.pc import PcDisk
    from hv.domain import Domain
    from hv.net.options import NicOptions
    from hv.toolstack.devices import DiskOptions


class GuestConfig(NamedTuple):
    """What a guest is given. `wallclock_ns`: the date at its start; None: the fixed one of hv.clock. `machine_mib`:
    memory of the whole machine when other guests are to come beside this one; None: just what this one needs."""

    memory_mib: int = 128
    vcpus: int = 1
    cmdline: str = ""
    ramdisk: str | Path | None = None
    quantum: int = DEFAULT_QUANTUM
    seed: int = 0
    wallclock_ns: int | None = None
    name: str = "guest"
    machine_mib: int | None = None
    scheduler: str = "round_robin"
    kind: str = "auto"
    """pv, pvh, hvm, or auto: pv if the kernel is one, else what it says that it can be entered as; hvm without one, and
    with a Multiboot kernel."""
    disks: tuple[DiskOptions, ...] = ()
    nics: tuple[NicOptions, ...] = ()
    usb: tuple[str, ...] = ()
    """Of an HVM domain: what its USB has beside disks (hv.devices.pc_usb.USB_DEVICES)."""
    firmware: str | Path | None = None
    """Of an HVM domain: a BIOS image, or an ELF file in its place; None: SeaBIOS, where it is installed."""
    boot: str = ""
    """Of an HVM domain: the order, of c (disk), d (CD-ROM) and n (network)."""
    paging: str = DEFAULT_PAGING
    """Of a PVH or HVM domain: one of hv.hypervisor.PAGING; a matter of speed alone."""
    drives: tuple[PcDisk, ...] = ()
    """Of an HVM domain: drives of its IDE controller that are open already; those of `disks` come behind them."""
    vga: bool = True
    """Of an HVM domain: it has a screen."""
    on_reboot: str = "exit"
    """When the guest asks for a reboot: "exit", it has ended; or "restart" (hv.toolstack.restart)."""
    on_crash: str = "exit"
    """When it crashes: the same."""
    triple_fault: str = "crash"
    """What a triple fault of a PVH or HVM domain is: "crash" or "reboot"."""
    forced_emulation: bool = False
    """Of a PVH or HVM domain: Xen's forced emulation prefix, "ud2; xen" in front of an instruction (docs/hvm.md)."""
    machine: tuple[tuple[str, str], ...] = ()
    """What the kernel's architecture lets choose of the machine, as names and values (`OPTIONS` of its module boot)."""
    serial_console: bool = True
    """Of an HVM domain: the first serial port is the console; else it leads nowhere until somebody takes its `sink`."""
    xen_platform: bool = True
    """Of an HVM domain: it has the Xen platform device, by which guests unplug emulated disks and cards."""


MOST_NICS = 16
"""Network interfaces of a domain at most: each keeps timers, slots of a PCI bus, or both."""


class Guest:
    """A launched guest: its hypervisor, its domain, how it was built, and its console."""

    def __init__(
        self, hv: Hypervisor, domain: Domain, built: Any, read: Callable[[], KernelImage], console: Console,
        store: XenstoreHost,
    ) -> None:  # fmt: skip
        self.hv = hv
        self.domain = domain
        self.built = built
        self.console = console
        self.store = store
        self._read = read

    @functools.cached_property
    def image(self) -> KernelImage:
        """The kernel. That of a PC is unpacked here: its firmware got the file as it is, and few look at it."""
        return self._read()

    def destroy(self) -> None:
        """Take the domain away, with its console and its part of xenstore; guests beside it go on."""
        self.hv.destroy_domain(self.domain)


def launch(
    kernel: str | Path | KernelImage | None,
    config: GuestConfig | None = None,
    sink: Sink | None = None,
    beside: Guest | None = None,
) -> Guest:
    """Build a guest, ready to run. `sink` gets its console output; without one the console keeps it.

    beside: a guest whose hypervisor and xenstore the new one shares; that one's `machine_mib` must have left room, and
    quantum, seed and wallclock_ns are the hypervisor's already. BuilderError, one line, for inputs that make no guest.
    """
    config = config or GuestConfig()
    pages = domain_pages(config.memory_mib)
    check_vcpus(config.vcpus)
    check_cmdline(config.cmdline)
    if len(config.nics) > MOST_NICS:
        raise BuilderError("--nic", f"{len(config.nics)} interfaces; a domain has {MOST_NICS} at most", "give fewer")
    kind, image = "hvm", None
    if config.kind != "hvm" and kernel is not None:
        image = kernel if isinstance(kernel, KernelImage) else load_kernel(kernel)
        _check_machine(image, config.machine)
        kind = boot_module(image).kind_of(image, config.kind, config.forced_emulation)  # before memory is taken
    if kind == "hvm":
        if isinstance(kernel, KernelImage):
            problem = "an HVM domain's firmware loads its kernel"
            raise BuilderError(kernel.name, problem, "give the path of a kernel file")
        image = None
    made = _kind(kind)
    hv = _hypervisor(config, made) if beside is None else beside.hv
    hv.connect, hv.restart = reconnect, restart
    if beside is not None and pages > hv.state.free_frames:
        free = int(hv.state.free_frames) >> 8
        raise BuilderError(
            config.name, f"{config.memory_mib} MiB is more than the {free} MiB that the machine has left",
            "give the first guest a larger machine_mib (of boot: machine_memory)",
        )  # fmt: skip
    try:
        domain = hv.create_domain(config.name, memory_mib=config.memory_mib, vcpus=config.vcpus, kind=kind)
    except NativeError as error:
        raise BuilderError(
            config.name, f"no room for it: {error}", "give it fewer vcpus, or destroy a domain"
        ) from None
    try:
        built, read = _build(domain, kind, config, kernel, image)
    except BuilderError:
        hv.destroy_domain(domain)
        raise
    store = XenstoreHost() if beside is None else beside.store
    console = Console(domain, sink)
    store.connect(domain, config.memory_mib << 10)
    backends = Backends(domain, store)
    if kind == "hvm":
        from hv.net.options import PV_MODEL  # most guests have no network

        backends.attach_twins()
        config = config._replace(
            disks=tuple(disk for disk in config.disks if disk.bus == "xvd"),
            nics=tuple(nic for nic in config.nics if nic.model == PV_MODEL),
        )
    if config.disks or config.nics:
        _add_devices(hv, domain, config)
    return Guest(hv, domain, built, read, console, store)


def _kind(name: str) -> Kind:
    """BuilderError: there is no such kind of domain here."""
    try:
        return kind_named(name)
    except KeyError:
        have = ", ".join(kinds()) or "none"
        problem = f"there are no {name} domains: the folder of their architecture is missing from hv/arch"
        raise BuilderError("--type", problem, f"install all of xenlab; it has {have}") from None


def parse_machine(text: str) -> tuple[tuple[str, str], ...]:
    """NAME=VALUE[,NAME=VALUE] as names and values (GuestConfig.machine). ValueError: it is not."""
    pairs = [part.partition("=") for part in text.split(",")]
    names = [name for name, _, _ in pairs]
    if not all(name and value for name, _, value in pairs) or len(set(names)) < len(names):
        raise ValueError(f"{text}: each name wants =VALUE, and comes once; remedy: NAME=VALUE[,NAME=VALUE]")
    return tuple(sorted((name, value) for name, _, value in pairs))


def _check_machine(image: KernelImage, choices: tuple[tuple[str, str], ...]) -> None:
    """BuilderError: there is no such choice for a kernel's machine."""
    options = boot_module(image).OPTIONS
    for name, value in choices:
        if value not in options.get(name, ()):
            known = ", ".join(f"{name} ({' or '.join(values)})" for name, values in options.items())
            accepted = f"a domain for {image.machine} has {known}" if known else "leave it out"
            raise BuilderError("--machine", f"{name}={value} is no choice for {image.machine}", accepted)


def _build(
    domain: Domain, kind: str, config: GuestConfig, kernel: str | Path | KernelImage | None, image: KernelImage | None
) -> tuple[Any, Callable[[], KernelImage]]:
    """Fill a new domain: how it was built, and what reads the kernel's image."""
    if image is None:
        from hv.toolstack.pc import start_hvm  # most guests are none

        return None, start_hvm(domain, config, cast("str | Path | None", kernel))
    ramdisk = b"" if config.ramdisk is None else read_file(config.ramdisk, "ramdisk")
    origin = origin_of(config, kind, image, ramdisk)
    built = build(domain, origin)
    remember(domain, origin)
    return built, lambda: image


def _add_devices(hv: Hypervisor, domain: Domain, config: GuestConfig) -> None:
    from hv.toolstack.devices import add_devices  # most guests have none

    try:
        add_devices(domain, config.disks, config.nics)
    except BuilderError:
        hv.destroy_domain(domain)
        raise


def _hypervisor(config: GuestConfig, kind: Kind) -> Hypervisor:
    """The machine. Its memory is taken when it is touched, so what the host has is looked up before."""
    size = max(config.memory_mib, config.machine_mib or 0) + kind.extra_mib
    quantum = kind.quantum if kind.quantum and config.quantum == DEFAULT_QUANTUM else config.quantum
    have = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    if size + overhead_mib(size) > have:
        raise BuilderError(
            "--memory", f"{size} MiB is more than the host has ({have} MiB)",
            f"give at most {max(have - overhead_mib(have), 1)}",
        )  # fmt: skip
    try:
        return Hypervisor(
            memory_mib=size, quantum=quantum, seed=config.seed, scheduler=config.scheduler,
            wallclock_ns=config.wallclock_ns, paging=config.paging,
        )  # fmt: skip
    except NativeError as error:
        raise BuilderError("--memory", f"{size} MiB: {error}", "give the guest less memory") from None
