"""What a domain is built of: data that stays, because it may have to be built again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hv.builder.image import KernelImage


class Origin(NamedTuple):
    """What a domain is built of again. `firmware`: of an HVM domain; `image`: of the others. `reasons`: ends
    (SHUTDOWN_*) after which that is done. `triple_fault`: the reason that one gives.
    `forced_emulation`: that there is the prefix. `machine`: choices of the architecture's. Immutable."""

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
    machine: tuple[tuple[str, str], ...]
