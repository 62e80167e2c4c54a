"""What the builder knows of a kernel file: plain data, the same for every container a kernel comes in.

Named tuples, not data classes: importing `dataclasses` costs 15 ms, and `hv run` must be at work before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from hv.builder.notes import XenNotes

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT


class BuilderError(Exception):
    """An input that no domain can be built from: one line that names the thing, the place and the remedy."""

    def __init__(self, thing: str, problem: str, remedy: str) -> None:
        """`thing`: a file or an option; `problem`: what is wrong, and where; `remedy`: what is accepted."""
        super().__init__(" ".join(f"{thing}: {problem}; {remedy}".split()))
        self.thing = thing
        self.problem = problem
        self.remedy = remedy


def domain_pages(memory_mib: int) -> int:
    """Pages of a domain of that many MiB.

    BuilderError for none, or for more than any machine here could have.
    """
    if not 0 < memory_mib <= 1 << 20:
        raise BuilderError(
            "--memory", f"{memory_mib} MiB is no size for a domain", f"give a number of MiB from 1 to {1 << 20:,}"
        )
    return memory_mib << 20 - PAGE_SHIFT


def check_vcpus(count: int) -> None:
    """BuilderError: no domain has so many."""
    from hv.native import lib

    if not 1 <= count <= lib.HV_DOMAIN_VCPUS:
        raise BuilderError("--vcpus", f"{count} is no number of vcpus", f"give 1 to {lib.HV_DOMAIN_VCPUS}")


def check_cmdline(text: str) -> None:
    """BuilderError: a guest would be told another text than this."""
    if "\0" in text:
        raise BuilderError("--cmdline", f"character {text.index(chr(0))} is a NUL, where it would end", "leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # a surrogate: what Python makes of bytes that are no UTF-8
        raise BuilderError("--cmdline", f"character {error.start} is no UTF-8", "give the text in UTF-8") from None


def why_not(error: OSError | ValueError) -> str:
    """Why a file cannot be opened, in words: without a number, and without the path, which is named beside it."""
    return str(getattr(error, "strerror", None) or error).lower()


class Segment(NamedTuple):
    """One loadable part of the kernel (ELF PT_LOAD). Addresses and sizes in bytes."""

    paddr: int
    vaddr: int
    data: memoryview
    memsz: int
    flags: int

    @property
    def end(self) -> int:
        """Physical address behind the last byte."""
        return self.paddr + self.memsz


class KernelImage(NamedTuple):
    """A kernel file, read and checked: every segment lies inside the file and overlaps no other."""

    name: str  # the file, as the user wrote it
    machine: str  # "x86_64", "i386", "aarch64" or "arm"
    bits: int  # 64 or 32: class of the ELF file
    entry: int  # e_entry
    segments: tuple[Segment, ...]  # by physical address
    notes: XenNotes | None  # None: no Xen notes and no __xen_guest section
    kind: str  # "ELF", or the name of the format around it: "bzImage", "Image"
    packing: tuple[str, ...]  # compressions taken off, outermost first: ("xz",)
    version: str  # bzImage: the version text of its setup header; else ""
    file: memoryview = memoryview(b"")  # the whole ELF file, without its packing: what a debugger reads

    @property
    def paddr_start(self) -> int:
        """Lowest physical address of a segment."""
        return self.segments[0].paddr

    @property
    def paddr_end(self) -> int:
        """Physical address behind the highest segment."""
        return max(segment.end for segment in self.segments)


class KernelFormat(NamedTuple):
    """A kind of kernel file. `read(name, data, packing)`: the kernel in it, or None if `data` is of another kind;
    BuilderError if it is of this kind and broken. `packing`: compressions that were taken off before."""

    name: str
    read: Callable[[str, memoryview, tuple[str, ...]], KernelImage | None]
