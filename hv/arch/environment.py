"""How guests of one kind are compiled and linked. Each architecture lists its own: hv/arch/NAME/environments.py."""

from __future__ import annotations

from typing import NamedTuple


class Environment(NamedTuple):
    """One kind of guest program, as `--env` and @env name it."""

    name: str
    target: str
    """What the compiler makes code for."""
    flags: tuple[str, ...]
    folders: tuple[str, ...]
    """Library folders under guests/lib: sources compiled in, and include path, most special first."""
    emulation: str
    """The linker's name of the format."""
    base: int = 0
    """Address that the image's first page frame has when it runs (the linker script's `base`)."""
    kind: str = "pv"
    """The kind of domain that it runs in; of an HVM domain a guest is the firmware."""
    help: str = ""
    loaded: bool = False
    """A PC's firmware loads it, as a Multiboot kernel; else it is in the firmware's place."""
    image: str = ""
    """The environment whose images it runs, where they are the same."""


def variant(of: Environment, name: str, kind: str, about: str, *more: str, loaded: bool = False) -> Environment:
    """Another environment like `of`. Where no flags are added, the images are the same."""
    image = "" if more else of.name
    return of._replace(name=name, kind=kind, help=about, flags=(*of.flags, *more), image=image, loaded=loaded)
