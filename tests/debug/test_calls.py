"""Hypercalls in words: arguments, structures and arrays from bytes that a test lays out itself."""

from __future__ import annotations

import struct

import pytest

from hv import abi
from hv.debug import call_names
from hv.debug.calls import ELEMENTS, Call, ReadMemory, changes, decode_call, output

MEMORY: dict[int, bytes] = {
    0x1000: struct.pack("<I", 3),
    0x2000: struct.pack("<QQQQ", 0x5001, 0x777, 0x6000, 0x12345678),
    0x3000: struct.pack("<I4xQQ", abi.MMUEXT_NEW_BASEPTR, 0x99, 0)
    + struct.pack("<I4xQQ", abi.MMUEXT_SET_LDT, 0x88000, 5),
    0x4000: struct.pack("<QQ6Q", 32, 0, abi.EVTCHNOP_send, 0x1000, 0, 0, 0, 0)
    + struct.pack("<QQ6Q", 14, 0, 0x80000000, 0x77, abi.UVMF_INVLPG | abi.UVMF_ALL, 0, 0, 0),
    0x5000: struct.pack("<HHI", abi.DOMID_SELF, 2, 0),
    0x6000: b'he"llo\n\0\0',
    0x7000: struct.pack("<BBHIQ", 14, 4, 0xE033, 0, 0x1234) + bytes(16),
    0x8000: struct.pack("<QIIHhIQ", 0xF000, abi.GNTMAP_host_map, 8, 7, 0, 0, 0) * 2,
}  # fmt: skip


def read(address: int, length: int) -> bytes | None:
    for start, data in MEMORY.items():
        if start <= address and address + length <= start + len(data):
            return data[address - start : address - start + length]
    return None


def call(name: str, *args: int) -> Call:
    return decode_call(name, [*args, *[0] * (6 - len(args))], read)


@pytest.mark.parametrize(("decoded", "text"), [
    (call("event_channel_op", abi.EVTCHNOP_send, 0x1000), "event_channel_op(EVTCHNOP_send, {port=3})"),
    (call("event_channel_op", abi.EVTCHNOP_alloc_unbound, 0x5000),
     "event_channel_op(EVTCHNOP_alloc_unbound, {dom=DOMID_SELF, remote_dom=2, port=0})"),
    (call("event_channel_op", abi.EVTCHNOP_send, 0x9000), "event_channel_op(EVTCHNOP_send, arg=0x9000)"),
    (call("mmu_update", 0x2000, 2, 0, abi.DOMID_SELF),
     "mmu_update([{ptr=0x5001, val=0x777}, {ptr=0x6000, val=0x12345678}], count=2, success_count=0x0, DOMID_SELF)"),
    (call("mmuext_op", 0x3000, 2, 0, abi.DOMID_SELF),
     "mmuext_op([{cmd=MMUEXT_NEW_BASEPTR, mfn=0x99}, {cmd=MMUEXT_SET_LDT, linear_addr=0x88000, nr_ents=5}], "
     "count=2, success_count=0x0, DOMID_SELF)"),
    (call("multicall", 0x4000, 2),
     "multicall([event_channel_op(EVTCHNOP_send, {port=3}), "
     "update_va_mapping(va=0x80000000, val=0x77, UVMF_INVLPG|UVMF_ALL)], nr_calls=2)"),
    (call("console_io", abi.CONSOLEIO_write, 8, 0x6000), r'console_io(CONSOLEIO_write, count=8, "he\"llo\n")'),
    (call("set_trap_table", 0x7000), "set_trap_table([{vector=14, flags=0x4, cs=0xe033, address=0x1234}])"),
    (call("grant_table_op", abi.GNTTABOP_map_grant_ref, 0x8000, 1),
     "grant_table_op(GNTTABOP_map_grant_ref, [{host_addr=0xf000, flags=0x2, ref=8, dom=7, status=GNTST_okay, handle=0, "
     "dev_bus_addr=0x0}], count=1)"),
    (call("vm_assist", abi.VMASST_CMD_enable, abi.VMASST_TYPE_m2p_strict),
     "vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict)"),
    (call("memory_op", abi.XENMEM_current_reservation, 0x5000),
     "memory_op(XENMEM_current_reservation, {domid=DOMID_SELF})"),
    (call("memory_op", abi.XENMEM_maximum_gpfn | 3 << 6, 0x5002), "memory_op(XENMEM_maximum_gpfn, {domid=2})"),
    (call("memory_op", abi.XENMEM_maximum_reservation, 0x9000), "memory_op(XENMEM_maximum_reservation, arg=0x9000)"),
    (call("sched_op", 77, 0), "sched_op(77, arg=0x0)"),
    (call("iret"), "iret()"),
    (call("set_timer_op", 123_456_789), "set_timer_op(timeout=123456789)"),
    (call("domctl", 5), "domctl(arg0=5)"),
    (call("xen_version", abi.XENVER_compile_info, 0x6000), "xen_version(XENVER_compile_info, arg=0x6000)"),
])  # fmt: skip
def test_text(decoded: Call, text: str) -> None:
    assert decoded.text() == text


def test_fields_by_name() -> None:
    assert call("event_channel_op", abi.EVTCHNOP_send, 0x1000).field("port") == 3
    assert call("vcpu_op", abi.VCPUOP_is_up, 5).field("vcpuid") == 5
    assert call("memory_op", abi.XENMEM_current_reservation, 0x5002).field("domid") == 2
    update = call("mmu_update", 0x2000, 2, 0, abi.DOMID_SELF)
    assert (update.field("ptr"), update.field("1.val"), update.field("count")) == (0x5001, 0x12345678, 2)
    assert update.field("7.val") is None and update.field("nothing") is None
    assert call("mmuext_op", 0x3000, 2).field("0.arg1.mfn") == 0x99


def test_data_for_json() -> None:
    assert call("event_channel_op", abi.EVTCHNOP_send, 0x1000).data() == {
        "name": "event_channel_op", "subop": "EVTCHNOP_send", "args": {"cmd": abi.EVTCHNOP_send, "arg": 0x1000},
        "content": {"arg": {"port": 3}},
    }  # fmt: skip
    entries = call("multicall", 0x4000, 2).data()["content"]["call_list"]
    assert entries[0]["content"] == {"arg": {"port": 3}} and entries[1]["name"] == "update_va_mapping"
    assert call("console_io", abi.CONSOLEIO_write, 9, 0x6000).data()["content"] == {"buffer": MEMORY[0x6000].hex()}


def test_what_a_call_has_changed() -> None:
    assert changes({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}) == {"b": {"c": 3}}
    assert changes([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 5}]) == [{}, {"a": 5}]
    assert changes([1], [1, 2]) == [1, 2] and changes({"a": [1, 2]}, {"a": [1, 2]}) is None
    before = call("event_channel_op", abi.EVTCHNOP_alloc_unbound, 0x5000)
    assert output(before, before) is None


def test_a_guest_decides_neither_how_long_nor_how_much() -> None:
    """A count of 4 billion, a pointer to the end of the address space, a trap table without an end."""
    asked: list[int] = []

    def endless(address: int, length: int) -> bytes:
        asked.append(length)
        return b"\x55" * length

    for name, args in (
        ("mmu_update", [1 << 63, 0xFFFFFFFF, 0, 0, 0, 0]), ("set_trap_table", [(1 << 64) - 8, 0, 0, 0, 0, 0]),
        ("multicall", [(1 << 64) - 8, 0xFFFFFFFF, 0, 0, 0, 0]), ("console_io", [0, 1 << 31, 64, 0, 0, 0]),
        ("grant_table_op", [5, 64, 0xFFFFFFFF, 0, 0, 0]), ("vcpu_op", [0, 0, 64, 0, 0, 0]),
    ):  # fmt: skip
        asked.clear()
        assert len(decode_call(name, args, endless).text()) < 4000
        assert len(asked) <= 2 * ELEMENTS and sum(asked) < 16384


@pytest.mark.parametrize("abi_name", ["x86_64", "x86_32"])
def test_every_sub_operation_of_every_call_is_decoded(abi_name: str) -> None:
    """Whatever its memory holds: zeros, ones, or nothing that can be read."""
    fills: tuple[ReadMemory, ...] = (
        lambda address, length: bytes(length), lambda address, length: b"\xff" * length, lambda address, length: None,
    )  # fmt: skip
    for name in abi.HYPERCALLS.values():
        for subop in (*abi.SUBOPS.get(name, {}), 9999):
            for fill in fills:
                decoded = decode_call(name, [subop, 2, 0x1000, 3, 4, 5], fill, abi_name)
                assert decoded.text().startswith(f"{name}(") and decoded.data()["name"] == name


def test_the_table_speaks_of_what_there_is() -> None:
    for name, text in call_names.SIGNATURES.items():
        arguments = text.split()
        assert len(arguments) == abi.HYPERCALL_ARGS[name], name
        names = [argument.partition(":")[0] for argument in arguments]
        for argument in arguments:
            tag, _, length = argument.partition(":")[2].partition("[")
            assert tag in ("subop", "n", "x", "uvmf", "bytes", "*") or tag in abi.layout_names(), argument
            assert not length or length.rstrip("]") in names, argument
            assert tag not in ("subop", "*") or name in abi.SUBOPS
    for (where, _), prefix in call_names.PREFIXES.items():
        assert call_names.constants(prefix), prefix
        assert where in ("", *abi.HYPERCALL_NUMBERS, *abi.layout_names()), where
    assert set(call_names.MEMBERS) <= set(abi.layout_names())
