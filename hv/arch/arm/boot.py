"""From a kernel file to an ARM domain: which files there are, what kind of domain one is for, and how that is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv.arch.arm.images import FORMATS
from hv.builder.image import BuilderError, KernelImage
from hv.native import lib

if TYPE_CHECKING:
    from hv.builder.origin import Origin
    from hv.devices.board import Board
    from hv.domain import Domain

__all__ = ["FORMATS", "MACHINES", "OPTIONS", "build", "choose", "describe", "kind_of", "reconnect"]

MACHINES = ("aarch64", "arm")
"""KernelImage.machine of the kernels that run here."""
OPTIONS = {"gic_version": ("v2", "v3"), "vuart": ("none", "sbsa_uart")}
"""Choices of the machine by name, with their values, the usual one first; xl's names (GuestConfig.machine)."""
KINDS = {"aarch64": "arm64", "arm": "arm32"}
"""The kind of domain that each is for."""


def kind_of(image: KernelImage, kind: str, forced_emulation: bool) -> str:
    """Which kind of domain a kernel is for; `kind`: the one that was asked for, or auto. Xen's tools call every ARM
    domain a PVH domain. BuilderError: it is not for that one."""
    found = KINDS[image.machine]
    if not hasattr(lib, "hv_arm_domain"):
        raise BuilderError(image.name, f"it is for {image.machine}, which this build has no engine for", "give another")
    if kind not in ("auto", "pvh", found):
        raise BuilderError(image.name, f"it is for a domain of the type {found}, not {kind}", "leave the type out")
    if forced_emulation:
        raise BuilderError("--fep", "the forced emulation prefix is x86's", "leave it out")
    return found


def describe(image: KernelImage) -> dict[str, Any]:
    """What `hv info` says of a kernel beside what its file says: the kinds of domain that it can be."""
    return {"types": [KINDS[image.machine]], "pv": None, "pv_refused": None}


def build(domain: Domain, origin: Origin) -> object:
    """Fill an empty domain: how it was built. BuilderError."""
    from hv.arch.arm.builder import ArmMachine, build_arm

    assert origin.image is not None
    choices = {name: values[0] for name, values in OPTIONS.items()} | dict(origin.machine)
    machine = ArmMachine(int(choices["gic_version"].removeprefix("v")), choices["vuart"] != "none")
    built = build_arm(domain, origin.image, machine, cmdline=origin.cmdline, ramdisk=origin.ramdisk)
    make_board(domain).reset()
    return built


def choose(domain: Domain, origin: Origin) -> None:
    """Nothing: what an Origin leaves to choose is x86's."""


def make_board(domain: Domain) -> Board:
    """What stands around the processors and is not in C: the serial port, which a guest reaches if it was asked for."""
    from hv.arch.arm.pl011 import Pl011
    from hv.devices.board import Board

    board = Board(domain)
    board.add(Pl011(board, "serial0"))
    return board


def reconnect(domain: Domain) -> None:
    """Make what stands around the processors of a domain that is restored or forked, not built."""
    make_board(domain)
