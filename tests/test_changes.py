"""What a debugger changes, as recordings hold it: sound ones are made, all others are refused whole."""

from __future__ import annotations

import json

import pytest

from hv import changes
from hv.changes import ChangeRefused
from hv.inputs import DEBUGGER, HOST, Input, Moment, ReplayError
from hv.native import lib
from hv.testing.runner import DomainUnderTest, Options


@pytest.fixture
def dom() -> DomainUnderTest:
    dom = DomainUnderTest("tour", Options(memory=8))
    dom.hv.run(max_insns=30_000)
    return dom


def plain_frame(dom: DomainUnderTest) -> int:
    """One that the domain may write."""
    pages = lib.hv_pages(dom.hv.native)
    return next(
        frame for frame in range(int(dom.hv.state.frames))
        if pages[frame].owner == dom.domain.domid and pages[frame].type_info >> lib.PGT_TYPE_SHIFT == lib.PGT_writable
    )  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"1", b'"memory"', b"[" * 100_000, b'{"memory": 5}', b'{"memory": [[1]]}',
        b'{"memory": [["a", "00"]]}', b'{"memory": [[-1, "00"]]}', b'{"memory": [[4096, "0"]]}',
        b'{"memory": [[1.5, "00"]]}', b'{"memory": [[340282366920938463463374607431768211456, "00"]]}',
        b'{"registers": {}}', b'{"vcpu": 0, "registers": []}', b'{"vcpu": 9, "registers": {}}',
        b'{"vcpu": [], "registers": {}}', b'{"vcpu": 0, "registers": {"cr3": "00"}}',
        b'{"vcpu": 0, "registers": {"rax": "00"}}', b'{"vcpu": 0, "registers": {"rax": 5}}',
        b'{"vcpu": 0, "registers": {"rip": "0000000000800000"}}', b'{"vcpu": 0, "registers": {"mxcsr": "00000100"}}',
    ],
)  # fmt: skip
def test_what_is_no_change_is_refused(dom: DomainUnderTest, data: bytes) -> None:
    before = dom.state_hash
    with pytest.raises(ChangeRefused):
        changes.apply(dom.hv, data)
    assert dom.state_hash == before


def test_one_bad_part_refuses_the_whole(dom: DomainUnderTest) -> None:
    before = dom.state_hash
    good = plain_frame(dom) << 12
    with pytest.raises(ChangeRefused):
        changes.change_memory(dom.hv, [(good, b"x"), (int(dom.hv.state.xen_gdt_frame) << 12, b"x")])
    root = int(dom.domain.vcpus[0].c.cr3_kernel)
    with pytest.raises(ChangeRefused):
        changes.change_memory(dom.hv, [(good, b"x"), (root - 1, b"xy")])  # the second runs into a page table
    with pytest.raises(ChangeRefused):
        changes.change_registers(dom.domain.vcpus[0], {"rax": bytes(8), "cs": bytes(4)})
    assert dom.state_hash == before
    assert list(dom.hv.inputs) == []


def test_page_tables_are_the_hypervisors_to_check(dom: DomainUnderTest) -> None:
    root = int(dom.domain.vcpus[0].c.cr3_kernel)
    with pytest.raises(ChangeRefused, match="is a page table"):
        changes.change_memory(dom.hv, [(root + 8, bytes(8))])
    assert dom.audit() == ""


def test_a_change_is_made_again_in_a_replay(dom: DomainUnderTest) -> None:
    address = (plain_frame(dom) << 12) + 4000
    changes.change_memory(dom.hv, [(address, b"changed!")])
    changes.change_registers(dom.domain.vcpus[0], {"r15": (3).to_bytes(8, "little"), "st3": b"0123456789"})
    assert dom.domain.read(address, 8) == b"changed!"
    assert dom.domain.vcpus[0].registers["r15"] == 3
    recorded = list(dom.hv.inputs)
    assert [(entry.retired, entry.moment, entry.domid, entry.service) for entry in recorded] == [
        (30_000, Moment.COUNT, HOST, DEBUGGER)
    ] * 2
    assert json.loads(recorded[0].data) == {"memory": [[address, b"changed!".hex()]]}
    dom.hv.run(max_insns=60_000)
    again = DomainUnderTest("tour", Options(memory=8))
    again.hv.inputs.replay(recorded)
    again.hv.run(max_insns=60_000)
    assert again.state_hash == dom.state_hash


def test_a_replay_with_a_change_that_does_not_fit_says_where(dom: DomainUnderTest) -> None:
    again = DomainUnderTest("tour", Options(memory=8))
    again.hv.inputs.replay([Input(1000, 0, Moment.COUNT, HOST, DEBUGGER, b'{"vcpu": 7, "registers": {}}')])
    with pytest.raises(ReplayError, match="the change by a debugger at instruction 1,000: this is no change"):
        again.hv.run(max_insns=60_000)
