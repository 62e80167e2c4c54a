"""What the hypervisor does differently on each architecture: one folder each. Neutral code imports none of them: it
asks here, by the guest ABI of the domain in question, and the folder is imported when a domain first needs it.
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

FOLDERS = {"x86_64": "x86", "x86_32": "x86", "arm": "arm"}
"""Guest ABI to the folder of its architecture."""


@functools.cache
def architecture(abi: str, module: str) -> ModuleType:
    """The architecture's `module` for a guest ABI: architecture("x86_64", "decode") is hv.arch.x86.decode.

    KeyError: there is no such guest ABI.
    """
    return importlib.import_module(f"hv.arch.{FOLDERS[abi]}.{module}")


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
