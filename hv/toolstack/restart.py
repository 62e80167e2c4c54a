"""A domain that ends and begins anew, as Xen's toolstack has it with on_reboot and on_crash.

It gives back all that it has and is built again of what it was built of at first: memory, processors, page tables, or
firmware and devices as a reset leaves them. What is the host's stays: disks as they are, the state of the networks,
what is attached to screen, serial port and console; and, other than on Xen, its number. All of this is a consequence
of the run, at an exact instruction, so it is repeated by a replay and undone by going back in time.

Source: handle_domain_death() in tools/xl/xl_vmcontrol.c of Xen 4.17.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi
from hv.builder.image import BuilderError
from hv.builder.pv import domain_pages
from hv.builder.pvh import build_pvh
from hv.builder.start import start_pv
from hv.hypervisor import KINDS
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


class Origin(NamedTuple):
    """What a domain is built of again. `firmware`: of an HVM domain; `image`: of the others. `reasons`: ends
    (SHUTDOWN_*) after which that is done. `triple_fault`: the reason that one gives.
    `forced_emulation`: that there is the prefix. Immutable."""

    kind: str
    pages: int
    image: KernelImage | None
    cmdline: str
    ramdisk: bytes
    firmware: bytes
    firmware_name: str
    reasons: tuple[int, ...]
    triple_fault: int
    forced_emulation: bool


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
    )  # fmt: skip


def build(domain: Domain, origin: Origin) -> object:
    """Fill an empty domain: how it was built. An HVM domain's machine is there already. BuilderError."""
    if origin.kind == "hvm":
        from hv.builder.pc import switch_on

        built: object = switch_on(domain, origin.firmware, origin.firmware_name)
    else:
        assert origin.image is not None
        builder: Any = build_pvh if origin.kind == "pvh" else start_pv
        built = builder(domain, origin.image, cmdline=origin.cmdline, ramdisk=origin.ramdisk)
    _choose(domain, origin)
    return built


def remember(domain: Domain, origin: Origin) -> None:
    """A domain has been built: keep what of, if it may have to be built again."""
    _choose(domain, origin)
    domain.origin = origin if origin.reasons else None


def _choose(domain: Domain, origin: Origin) -> None:
    """What a triple fault is, which the guest may change; and whether there is a forced emulation prefix."""
    if domain.translated:
        state = lib.hv_hvm_domain(domain.hv.native, domain.c)
        state.params[abi.HVM_PARAM_TRIPLE_FAULT_REASON] = origin.triple_fault
        state.forced_emulation = origin.forced_emulation


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
    result = lib.hv_domain_renew(hv.native, domain.slot, KINDS[origin.kind], origin.pages)
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
