"""What of an ARM domain belongs to the state hash beside what every domain has: its part of the arena."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hv.native import ffi, lib, view

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.vcpu import Vcpu


def of_domain(domain: Domain) -> Iterator[memoryview]:
    """Its interrupt controller and what else its processors share."""
    yield view(lib.hv_arm_domain(domain.hv.native, domain.c), ffi.sizeof("struct arm_domain"))


def of_vcpu(vcpu: Vcpu) -> Iterator[memoryview]:
    """The same of a vcpu: its interface to that, and its timers."""
    yield view(lib.hv_arm_vcpu(vcpu.domain.hv.native, vcpu.c), ffi.sizeof("struct arm_vcpu"))
