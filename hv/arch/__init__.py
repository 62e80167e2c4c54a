"""What the hypervisor does differently on each architecture: one folder each. Neutral code imports none of them: it
asks here, by the kind or the guest ABI of the domain in question, and the folder is imported when a domain first needs
it. A folder may be missing: then its kinds of domain are not there (docs/adr/0014).

Each folder has these modules:

    kinds         KINDS, the kinds of domain that run on it (Kind)
    boot          the formats of its kernel files, and from one of them to a domain (KernelFormat, Origin)
    interface     what of Xen's interface differs, as data: features, assists, virtual interrupts
    registers     names and values of a vcpu's registers, the struct that has them all (Kind may name another)
    canonical     what of a domain belongs to the state hash beside what every domain has
    hvm           which operations and parameters of hvm_op a guest has
    environments  ENVIRONMENTS, how its test guests are compiled (hv.arch.environment)
    mode          how a vcpu executes now, and the hypercall that it is about to make (hv.arch.mode)
    memory        where a linear address leads, for who looks on
    report        what only it has in a crash report: registers and the walk of the page tables
    exceptions    what its exceptions are called (hv.arch.exceptions)
    gdb           what gdb is told of a vcpu (hv.arch.gdb)
    settable      registers that a change may set (hv.changes)
    core          what is in a core file of its domains (hv.arch.core)

x86 alone has `decode`: instructions that the hypervisor carries out for a guest; `firmware`: a PC that is switched on;
`pv`: what only domains without a physmap have; and `machine`: what it sets up in every hypervisor. ARM alone has
`power`: what calls of its firmware's interface are called. A folder may have a package `hypercalls`, with what only its
guests have of them (hv.hypercall).
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Iterator
from importlib.machinery import PathFinder
from types import ModuleType
from typing import NamedTuple

FOLDERS = {"x86_64": "x86", "x86_32": "x86", "arm": "arm"}
"""Guest ABI to the folder of its architecture."""


class Kind(NamedTuple):
    """A kind of domain. `number`: its `domain.type` (native/xen/state.h). `translated`: the guest has frame numbers of
    its own. `abi`, `narrow_abi`: how its pages and arguments are laid out, and how if it said that it is narrower.
    `registers`: its architecture's module that knows the registers of its vcpus. `extra_mib`: what it takes beside
    its RAM. `quantum`: the usual one of its vcpus, in instructions; 0: as everyone's."""

    name: str
    number: int
    translated: bool
    abi: str
    narrow_abi: str
    registers: str = "registers"
    extra_mib: int = 0
    quantum: int = 0


@functools.cache
def architecture(abi: str, module: str) -> ModuleType:
    """The architecture's `module` for a guest ABI: architecture("x86_64", "decode") is hv.arch.x86.decode.

    KeyError: there is no such guest ABI.
    """
    return importlib.import_module(f"hv.arch.{FOLDERS[abi]}.{module}")


@functools.cache
def package(abi: str, name: str) -> ModuleType | None:
    """The architecture's package of that name; None: it has none."""
    full = f"hv.arch.{FOLDERS[abi]}.{name}"
    try:
        return importlib.import_module(full)
    except ModuleNotFoundError as error:
        if error.name != full:
            raise
        return None


def registers_of(kind: Kind) -> ModuleType:
    """The module that knows the registers of a kind's vcpus."""
    return architecture(kind.abi, kind.registers)


@functools.cache
def _has(folder: str, module: str) -> bool:
    """Looked for without importing the folder: a guest has no use for another architecture's."""
    places = [os.path.join(path, folder) for path in __path__]
    return PathFinder.find_spec(f"hv.arch.{folder}.{module}", places) is not None


def installed(module: str) -> Iterator[ModuleType]:
    """`module` of each architecture that is there and has one, imported when its turn comes: who has found what was
    wanted does not import the others."""
    for folder in dict.fromkeys(FOLDERS.values()):
        if _has(folder, module):
            yield importlib.import_module(f"hv.arch.{folder}.{module}")


def _each() -> Iterator[Kind]:
    for module in installed("kinds"):
        yield from module.KINDS


@functools.cache
def kinds() -> dict[str, Kind]:
    """The kinds of domain that there are, by name."""
    return {kind.name: kind for kind in _each()}


@functools.cache
def kind_named(name: str) -> Kind:
    """The kind of that name. KeyError: there is none."""
    for kind in _each():
        if kind.name == name:
            return kind
    raise KeyError(name)


@functools.cache
def kind_numbered(number: int) -> Kind:
    """The kind of a domain whose `domain.type` is `number`. KeyError: there is none."""
    for kind in _each():
        if kind.number == number:
            return kind
    raise KeyError(number)
