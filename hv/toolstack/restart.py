"""A domain that ends and begins anew, as Xen's toolstack has it with on_reboot and on_crash.

It gives back all that it has and is built again of what it was built of at first: memory, processors, page tables, or
firmware and devices as a reset leaves them. What is the host's stays: disks as they are, the state of the networks,
what is attached to screen, serial port and console; and, other than on Xen, its number. All of this is a consequence
of the run, at an exact instruction, so it is repeated by a replay and undone by going back in time.

Source: handle_domain_death() in tools/xl/xl_vmcontrol.c of Xen 4.17.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hv import abi
from hv.arch import architecture, kind_named
from hv.builder.image import BuilderError, domain_pages
from hv.builder.origin import Origin
from hv.native import check, lib

if TYPE_CHECKING:
    from hv.builder.image import KernelImage
    from hv.domain import Domain
    from hv.toolstack.launch import GuestConfig

EXIT, RESTART = "exit", "restart"
CRASH, REBOOT = "crash", "reboot"
TRIPLE_FAULTS = {CRASH: int(abi.SHUTDOWN_crash), REBOOT: int(abi.SHUTDOWN_reboot)}
"""What a triple fault may be, as a reason of SHUTDOWN_*."""
CRASHES = (int(abi.SHUTDOWN_crash), int(abi.SHUTDOWN_watchdog))


def origin_of(
    config: GuestConfig, kind: str, image: KernelImage | None = None, ramdisk: bytes = b"", firmware: bytes = b""
) -> Origin:
    """What a domain is built of."""
    reasons = ((int(abi.SHUTDOWN_reboot),) if config.on_reboot == RESTART else ()) + (
        CRASHES if config.on_crash == RESTART else ()
    )
    return Origin(
        kind, domain_pages(config.memory_mib), image, config.cmdline, ramdisk, firmware, str(config.firmware),
        reasons, TRIPLE_FAULTS[config.triple_fault], config.forced_emulation,
        config.machine,
    )  # fmt: skip


def build(domain: Domain, origin: Origin) -> object:
    """Fill an empty domain: how it was built. An HVM domain's machine is there already. BuilderError."""
    boot = architecture(domain.abi, "boot")
    built: object = boot.build(domain, origin)
    boot.choose(domain, origin)
    return built


def remember(domain: Domain, origin: Origin) -> None:
    """A domain has been built: keep what of, if it may have to be built again."""
    architecture(domain.abi, "boot").choose(domain, origin)
    domain.origin = origin if origin.reasons else None


def restart(domain: Domain) -> bool:
    """Begin a domain that has ended anew, if it is to be; whether it has. One that has not executed a single
    instruction since the last time is left as it is, and so is one whose memory others still map."""
    origin: Origin = domain.origin
    if domain.c.shutdown_code not in origin.reasons:
        return False
    if not any(vcpu.c.retired for vcpu in domain.vcpus):
        return _give_up(domain, "it was started again and ended before its first instruction")
    if lib.hv_grants_mapped(domain.hv.native, domain.c):
        return False
    services = list(domain.services.values())
    for service in reversed(services):
        service.before_restart()
    domain.host_ports.clear()
    try:
        _renew(domain, origin)
        build(domain, origin)
    except (BuilderError, MemoryError) as error:
        return _give_up(domain, f"it cannot be started again: {error}")
    for service in services:
        service.after_restart()
    domain.restarts += 1
    return True


def _renew(domain: Domain, origin: Origin) -> None:
    """Take all that the domain has, and give it new vcpus."""
    hv = domain.hv
    for vcpu in domain.vcpus:
        del hv.vcpus[vcpu.slot]
    result = lib.hv_domain_renew(hv.native, domain.slot, kind_named(origin.kind).number, origin.pages)
    for number, vcpu in enumerate(domain.vcpus):
        vcpu.bind(check(lib.hv_vcpu_create(hv.native, domain.slot, number), f"{domain.name}: vcpu {number}"))
        hv.vcpus[vcpu.slot] = vcpu
    if result == -errno.EBUSY:
        raise BuilderError(domain.name, "another domain maps its memory", "destroy that one first")
    check(result, f"renewing domain {domain.name}")


def _give_up(domain: Domain, reason: str) -> bool:
    domain.origin = None
    domain.crash_reason = reason
    domain.c.shut_down, domain.c.shutdown_code = 1, abi.SHUTDOWN_crash
    return False
