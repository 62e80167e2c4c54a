"""What the hypervisor does differently on each architecture: one folder each. Neutral code imports none of them: it
asks here, by the kind or the guest ABI of the domain in question, and the folder is imported when a domain first needs
it. A folder may be missing: then its kinds of domain are not there (docs/adr/0010).

Each folder has at least these modules:

    kinds       KINDS, the kinds of domain that run on it (Kind)
    registers   names and values of a vcpu's registers, its whole architectural state
    canonical   what of it belongs to the state hash beside what every domain has
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import NamedTuple

FOLDERS = {"x86_64": "x86", "x86_32": "x86", "arm": "arm"}
"""Guest ABI to the folder of its architecture."""


class Kind(NamedTuple):
    """A kind of domain. `number`: its `domain.type` (native/xen/state.h). `translated`: the guest has frame numbers of
    its own. `abi`, `narrow_abi`: how its pages and arguments are laid out, and how if it said that it is narrower.
    `registers`: its architecture's module that knows the registers of its vcpus."""

    name: str
    number: int
    translated: bool
    abi: str
    narrow_abi: str
    registers: str = "registers"


@functools.cache
def architecture(abi: str, module: str) -> ModuleType:
    """The architecture's `module` for a guest ABI: architecture("x86_64", "decode") is hv.arch.x86.decode.

    KeyError: there is no such guest ABI.
    """
    return importlib.import_module(f"hv.arch.{FOLDERS[abi]}.{module}")


def registers_of(kind: Kind) -> ModuleType:
    """The module that knows the registers of a kind's vcpus."""
    return architecture(kind.abi, kind.registers)


@functools.cache
def installed(module: str) -> tuple[ModuleType, ...]:
    """`module` of each architecture that is there and has one: a folder may be missing."""
    found = []
    for folder in dict.fromkeys(FOLDERS.values()):
        name = f"hv.arch.{folder}"
        try:
            found.append(importlib.import_module(f"{name}.{module}"))
        except ModuleNotFoundError as error:
            if error.name not in (name, f"{name}.{module}"):
                raise
    return tuple(found)


@functools.cache
def kinds() -> dict[str, Kind]:
    """The kinds of domain that there are, by name."""
    return {kind.name: kind for module in installed("kinds") for kind in module.KINDS}


@functools.cache
def kind_numbered(number: int) -> Kind:
    """The kind of a domain whose `domain.type` is `number`. KeyError: there is none."""
    return {kind.number: kind for kind in kinds().values()}[number]
