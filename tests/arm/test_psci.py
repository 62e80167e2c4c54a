"""PSCI and the calling convention's own functions (Arm DEN 0022, DEN 0028), with Xen 4.17's answers."""

from __future__ import annotations

from typing import Any

import pytest
from cffi import FFI

from hv.abi import constant

FN64 = 0x40000000
VERSION, SUSPEND, OFF, ON, AFFINITY, MIGRATE, MIGRATE_INFO = (0x84000000 + n for n in range(7))
SYSTEM_OFF, SYSTEM_RESET, FEATURES = 0x84000008, 0x84000009, 0x8400000A
SUCCESS, NOT_SUPPORTED, INVALID, DENIED, ALREADY_ON, FAILED, BAD_ADDRESS = 0, -1, -2, -3, -4, -6, -9


class Machine:
    """A domain of `vcpus`, of which 0 is on. `log`: what was asked of it."""

    def __init__(self, native: tuple[FFI, Any], vcpus: int = 20, narrow: bool = False) -> None:
        ffi, self.lib = native
        self.ffi, self.narrow, self.on, self.log = ffi, narrow, {0}, list[Any]()
        self.refuses = False

        def word(name: str) -> Any:
            return ffi.callback("void(void *)", lambda ctx: self.log.append(name))

        self.kept = {
            "is_on": ffi.callback("_Bool(void *, unsigned)", lambda ctx, vcpu: vcpu in self.on),
            "cpu_on": ffi.callback("_Bool(void *, unsigned, uint64_t, uint64_t)", self.start),
            **{name: word(name) for name in ("cpu_off", "suspend", "system_off", "system_reset")},
        }
        self.effects = ffi.new("struct psci_effects *", {"vcpus": vcpus, **self.kept})
        self.x = ffi.new("uint64_t[4]")

    def start(self, ctx: object, vcpu: int, entry: int, context: int) -> bool:
        self.log.append((vcpu, entry, context))
        return not self.refuses

    def call(self, *x: int) -> int:
        """x0 with sign, after the call."""
        for i in range(4):
            self.x[i] = x[i] & ((1 << 64) - 1) if i < len(x) else 0x5A5A + i
        self.lib.psci_call(self.effects, self.ffi.NULL, self.narrow, self.x)
        bits = 32 if self.narrow else 64
        return int(self.x[0]) - (self.x[0] >> (bits - 1) << bits)


@pytest.fixture
def machine(native: tuple[FFI, Any]) -> Machine:
    return Machine(native)


def test_versions(machine: Machine) -> None:
    """PSCI 1.1, SMCCC 1.1; no trusted system that would have to migrate."""
    assert machine.call(VERSION) == 0x10001
    assert machine.call(0x80000000) == 0x10001
    assert machine.call(MIGRATE_INFO) == 2
    assert machine.x[1] == 0x5A5B, "the other registers are kept"


def test_features(machine: Machine) -> None:
    """PSCI_FEATURES knows what there is, in both calling conventions, and nothing else."""
    there = {VERSION, SUSPEND, SUSPEND | FN64, OFF, ON, ON | FN64, AFFINITY, AFFINITY | FN64, MIGRATE_INFO, SYSTEM_OFF,
             SYSTEM_RESET, FEATURES, 0x80000000}  # fmt: skip
    bases = (0x84000000, 0xC4000000, 0x80000000, 0, 0x8400FF00, 0x8600FF00, 0x80007FF0, 0x80003FF0)
    asked = {base + n for base in bases for n in range(32)}
    assert {fn for fn in asked if machine.call(FEATURES, fn) == SUCCESS} == there
    assert machine.call(FEATURES, MIGRATE) == NOT_SUPPORTED


@pytest.mark.parametrize("fn", [ON, ON | FN64])
def test_cpu_on(machine: Machine, fn: int) -> None:
    """CPU_ON: the target by its affinity (16 vcpus a cluster), the entry, the context."""
    assert machine.call(fn, 0x101, 0x4000_1000, 0x1234_5678_9ABC) == SUCCESS
    assert machine.log == [(17, 0x40001000, 0x1234_5678_9ABC)]


@pytest.mark.parametrize(
    ("target", "entry", "result"),
    [(0, 0x1000, ALREADY_ON), (0x104, 0x1000, INVALID), (0x10, 0x1000, INVALID), (1 << 32 | 1, 0x1000, INVALID),
     (1, 0x1001, BAD_ADDRESS), (0x104, 0x1001, INVALID)],
)  # fmt: skip
def test_cpu_on_refused(machine: Machine, target: int, entry: int, result: int) -> None:
    """Who is on is not started; who is not there is no parameter; AArch64 has no Thumb."""
    assert machine.call(ON | FN64, target, entry, 0) == result
    assert machine.log == []


def test_cpu_on_that_fails(machine: Machine) -> None:
    machine.refuses = True
    assert machine.call(ON, 1, 0, 0) == DENIED


def test_version_0_1(machine: Machine) -> None:
    """The old numbers, by which a device tree of Xen's names them; they know fewer errors, and no context."""
    assert machine.call(2, 1, 0x8000, 0x77) == SUCCESS
    assert machine.log == [(1, 0x8000, 0)]
    assert machine.call(2, 0, 0x8000) == INVALID
    assert machine.call(2, 1, 0x8001) == INVALID
    assert machine.call(1) == SUCCESS and machine.log[-1] == "cpu_off"
    assert machine.call(0) == machine.call(3) == NOT_SUPPORTED


@pytest.mark.parametrize(
    ("fn", "effect", "result"),
    [(OFF, "cpu_off", SUCCESS), (SUSPEND, "suspend", SUCCESS), (SUSPEND | FN64, "suspend", SUCCESS),
     (SYSTEM_OFF, "system_off", FAILED), (SYSTEM_RESET, "system_reset", FAILED)],
)  # fmt: skip
def test_effects(machine: Machine, fn: int, effect: str, result: int) -> None:
    assert machine.call(fn, 0x10000, 0x1000, 0) == result
    assert machine.log == [effect]


def test_affinity_info(machine: Machine) -> None:
    """AFFINITY_INFO: on if one below that level is; levels 0 to 3."""
    machine.on = {0, 17}
    assert [machine.call(AFFINITY, mpidr, 0) for mpidr in (0, 1, 0x100, 0x101, 0x200)] == [0, 1, 1, 0, 1]
    assert [machine.call(AFFINITY | FN64, mpidr, 1) for mpidr in (0x0F, 0x1FF, 0x200)] == [0, 0, 1]
    assert [machine.call(AFFINITY | FN64, mpidr, 2) for mpidr in (0xFFFF, 0x10000)] == [0, 1]
    assert [machine.call(AFFINITY | FN64, mpidr, 3) for mpidr in (0xFFFFFF, 1 << 32)] == [0, 1]
    assert machine.call(AFFINITY | FN64, 0, 4) == machine.call(AFFINITY, 0, 0xFFFFFFFF) == INVALID


def test_identity(machine: Machine) -> None:
    """The hypervisor service's count, UID and revision as Xen gives them, and the standard service's."""
    assert machine.call(0x8600FF00) == 3
    machine.call(0x8600FF01)
    uid = b"".join(int(word).to_bytes(4, "little") for word in machine.x)
    assert uid.hex() == "a71812dcc69843699acf79d18ddee667"
    assert machine.call(0x8600FF03) == 0 and machine.x[1] == 1
    assert machine.call(0x8400FF00) == 15
    machine.call(0x8400FF01)
    uid = b"".join(int(word).to_bytes(4, "little") for word in machine.x)
    assert uid.hex() == "f863386f4b394cbd9220ce1641e59f6f"
    assert machine.call(0x8400FF03) == 0 and machine.x[1] == 1


def test_workarounds(machine: Machine) -> None:
    """None is offered; asking for one all the same returns nothing."""
    for workaround in (0x80008000, 0x80007FFF, 0x80003FFF):
        assert machine.call(0x80000001, workaround) == NOT_SUPPORTED
        assert machine.call(workaround) == workaround


@pytest.mark.parametrize(
    "fn",
    [MIGRATE, 0x84000007, 0x8400000B, 0x8400000E, 0xC4000000, 0xC4000008, 0x04000000, 0x82000000, 0x83000000,
     0xB2000000, 0xFFFFFFFF, 0x1234],
)  # fmt: skip
def test_what_is_not_there(machine: Machine, fn: int) -> None:
    """Migration, suspend to memory, other services: not supported."""
    assert machine.call(fn) == NOT_SUPPORTED
    assert machine.log == []


def test_a_32_bit_domain(native: tuple[FFI, Any]) -> None:
    """It has registers of 32 bits, Thumb, three affinity levels, and no 64-bit calls (DEN 0028 5.1)."""
    machine = Machine(native, 4, narrow=True)
    assert machine.call(ON, 0xFFFF_0000_0000 | 2, 0xFFFF_0000_8001, 0xFFFF_0000_0077) == SUCCESS
    assert machine.log == [(2, 0x8001, 0x77)]
    assert machine.call(ON | FN64, 1, 0x8000, 0) == NOT_SUPPORTED
    assert machine.x[0] == 0xFFFFFFFF
    assert machine.call(AFFINITY, 0, 3) == INVALID and machine.call(AFFINITY, 0, 2) == 0


def test_numbers_of_the_abi() -> None:
    """This file writes the numbers out; the headers have the same."""
    named = {"PSCI_FN_VERSION": VERSION, "PSCI_FN_CPU_ON": ON, "PSCI_FN_FEATURES": FEATURES, "PSCI_DENIED": DENIED,
             "PSCI_INVALID_ADDRESS": BAD_ADDRESS, "PSCI_FN64": FN64}  # fmt: skip
    assert {name: constant(name, "arm") for name in named} == named
