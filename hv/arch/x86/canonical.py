"""What of an x86 domain belongs to the state hash beside what every domain has: its part of the arena."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hv.native import ffi, lib, view

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.vcpu import Vcpu


def of_domain(domain: Domain) -> Iterator[memoryview]:
    """What an HVM or PVH domain has of its own."""
    if domain.translated:
        yield view(lib.hv_hvm_domain(domain.hv.native, domain.c), ffi.sizeof("struct hvm_domain"))


def of_vcpu(vcpu: Vcpu) -> Iterator[memoryview]:
    """The same of a vcpu."""
    if vcpu.domain.translated:
        yield view(lib.hv_hvm_vcpu(vcpu.domain.hv.native, vcpu.c), ffi.sizeof("struct hvm_vcpu"))
