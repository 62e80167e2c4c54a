"""hv.abi against the compilers that guests and the hypervisor are built with, and its own rules."""

import subprocess
import sys
from pathlib import Path

import pytest

from hv import abi
from hv.errors import XenError

NATIVE = Path(__file__).resolve().parents[2] / "native"
ZIG = {
    "x86_64": ["x86_64-freestanding-none"],
    "x86_32": ["x86-freestanding-none"],
    "arm": ["aarch64-freestanding-none", "arm-freestanding-eabi"],
}


def leaves(layout, prefix=""):
    """Each field of a structure, nested ones too, as (path for offsetof, path for Layout.offset)."""
    for name in layout.fields():
        yield prefix + name
        inner = f"{layout.name}.{name}"
        if inner in LAYOUT_NAMES:
            yield from leaves(abi.layout(inner, layout_abi), f"{prefix}{name}.")


LAYOUT_NAMES: set[str] = set()
layout_abi = "x86_64"


def probe(abi_name: str) -> str:
    """C text that compiles only if the compiler agrees with every size and offset of the generated tables."""
    global LAYOUT_NAMES, layout_abi
    layout_abi = abi_name
    LAYOUT_NAMES = set(abi.layout_names(abi_name))
    names = [f"abi/{p.name}" for p in sorted((NATIVE / "abi").glob("*.h"))]
    names += [f"abi/io/{p.name}" for p in sorted((NATIVE / "abi" / "io").glob("*.h"))]
    lines = [f'#include "{name}"' for name in names]
    for name in sorted(LAYOUT_NAMES):
        if "." in name:
            continue
        one = abi.layout(name, abi_name)
        lines.append(f'_Static_assert(sizeof({one.kind} {name}) == {one.size}, "{name}");')
        for path in leaves(one):
            lines.append(
                f"_Static_assert(__builtin_offsetof({one.kind} {name}, {path}) == {one.offset(path)}, "
                f'"{name}.{path}");'
            )
    lines += [
        f'_Static_assert(CONST_RING_SIZE({ring}, 4096) == {entries}, "{ring}");'
        for ring, entries in (("blkif", 32), ("netif_tx", 256), ("netif_rx", 256))
    ]
    return "\n".join(lines) + "\n"


def test_the_host_compiler_agrees_with_the_x86_64_layouts(tmp_path):
    source = tmp_path / "probe.c"
    source.write_text(probe("x86_64"))
    assert source.read_text().count("_Static_assert") > 400
    command = ["cc", "-std=c11", "-DXENLAB_HOST", "-Wall", "-Werror", "-fsyntax-only", f"-I{NATIVE}"]
    command.append(str(source))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("abi_name", "target"), [(a, t) for a, targets in ZIG.items() for t in targets])
def test_the_guest_compiler_agrees_with_every_layout(abi_name, target, tmp_path):
    pytest.importorskip("ziglang")
    source = tmp_path / "probe.c"
    source.write_text(probe(abi_name))
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-std=c11", "-Wall", "-Werror"]
    command += [f"-I{NATIVE}", "-c", str(source), "-o", str(tmp_path / "probe.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_wrong_size_would_be_noticed(tmp_path):
    source = tmp_path / "probe.c"
    source.write_text(probe("x86_64").replace("== 3136", "== 3144"))
    command = ["cc", "-std=c11", "-DXENLAB_HOST", "-fsyntax-only", f"-I{NATIVE}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "shared_info" in done.stderr


# Sizes as Xen's own headers give them (compat.h checks and tools' static assertions).
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("shared_info", (3136, 2344, 1088)),
        ("start_info", (1168, 1112, 1168)),
        ("vcpu_info", (64, 64, 48)),
        ("vcpu_time_info", (32, 32, 32)),
        ("vcpu_guest_context", (5168, 2800, 352)),
        ("vcpu_runstate_info", (48, 44, 48)),
        ("multicall_entry", (64, 32, 64)),
        ("mmuext_op", (24, 12, 24)),
        ("gnttab_map_grant_ref", (32, 32, 32)),
        ("gnttab_copy", (40, 24, 40)),
        ("grant_entry_v1", (8, 8, 8)),
        ("grant_entry_v2", (16, 16, 16)),
        ("xen_memory_reservation", (32, 20, 32)),
        ("sched_poll", (24, 16, 24)),
        ("e820entry", (20, 20, 20)),
        ("evtchn_fifo_control_block", (72, 72, 72)),
        ("xencons_interface", (3088, 3088, 3088)),
        ("blkif_request", (112, 108, 112)),
        ("blkif_response", (16, 12, 16)),
        ("blkif_sring", (64 + 112, 64 + 108, 64 + 112)),
        ("netif_tx_sring", (64 + 12, 64 + 12, 64 + 12)),
        ("netif_extra_info", (8, 8, 8)),
    ],
)
def test_known_sizes(name, sizes):
    assert tuple(abi.layout(name, a).size for a in abi.ABIS) == sizes


def test_known_numbers():
    assert abi.EVTCHNOP_send == 4
    assert abi.HYPERCALLS[32] == "event_channel_op"
    assert abi.HYPERCALL_NUMBERS["memory_op"] == abi.constant("__HYPERVISOR_memory_op") == 12
    assert abi.GNTST_bad_page == -9
    assert abi.constant("FLAT_KERNEL_CS") == 0xE033
    assert abi.constant("FLAT_KERNEL_CS", "x86_32") == 0xE019
    assert abi.constant("VGCF_online", "arm") == 1 and abi.VGCF_online == 32
    assert abi.MACH2PHYS_NR_ENTRIES == 0x4000000000 // 8
    assert abi.layout("shared_info").offset("vcpu_info[1].arch.cr2") == 64 + 16
    assert abi.layout("shared_info").field_size("evtchn_pending") == 512
    with pytest.raises(AttributeError, match="no constant NO_SUCH"):
        _ = abi.NO_SUCH
    with pytest.raises(KeyError, match=r"vcpu_info\[32\]"):
        abi.layout("shared_info").offset("vcpu_info[32]")


def test_sub_operations_repeat_the_numbers_of_the_headers():
    for call, items in abi.SUBOPS.items():
        assert call in abi.HYPERCALL_NUMBERS
        for number, item in items.items():
            assert abi.constant(item.name) == number, item.name
            if item.argument:
                assert abi.layout(item.argument).size > 0
    assert abi.subop_name("sched_op", 3) == "SCHEDOP_poll" and abi.subop_name("sched_op", 99) == "99"


def test_calls_in_words():
    assert abi.call_arguments("event_channel_op", (4 | 1 << 40, 0x1000, 9)) == ["EVTCHNOP_send", "0x1000"]
    assert abi.call_arguments("memory_op", (abi.XENMEM_exchange | 5 << 6, 1)) == ["XENMEM_exchange", "0x1"]
    assert abi.call_arguments("mmuext_op", (0x1000, 1, 0, 0x7FF0)) == ["0x1000", "0x1", "0x0", "0x7ff0"]
    assert abi.call_arguments("sched_op", (99, 0)) == ["99", "0x0"]
    assert abi.call_arguments("iret", (1, 2)) == [] and abi.call_arguments("hypercall 77", (1,)) == ["0x1"]


def test_pack_and_unpack_are_inverse_without_unions():
    for abi_name in abi.ABIS:
        for name in abi.layout_names(abi_name):
            one = abi.layout(name, abi_name)
            data = bytes((7 * i + 3) & 0xFF for i in range(one.size))
            fields = one.unpack(data)
            try:
                packed = one.pack(fields)
            except ValueError as error:
                assert "takes one member" in str(error)  # a union: unpack() gives all of its members
                continue
            assert one.unpack(packed) == fields


def test_update_writes_only_what_changed():
    one = abi.layout("evtchn_status")
    data = bytes(range(24))
    before = one.unpack(data)
    after = one.unpack(data)
    assert one.update(data, before, after) == data
    after["status"] = abi.EVTCHNSTAT_virq
    after["u"]["virq"] = 5
    new = one.update(data, before, after)
    assert new[8:12] == b"\4\0\0\0" and new[16:20] == b"\5\0\0\0"
    assert new[:8] + new[12:16] + new[20:] == data[:8] + data[12:16] + data[20:]


def test_pack_refuses_what_does_not_fit():
    one = abi.layout("evtchn_send")
    with pytest.raises(ValueError, match="port"):
        one.pack({"port": 1 << 32})
    with pytest.raises(ValueError, match="prot"):
        one.pack({"prot": 1})
    with pytest.raises(ValueError, match="one member"):
        abi.layout("mmuext_op").pack({"arg1": {"mfn": 1, "linear_addr": 2}})
    with pytest.raises(ValueError, match="4 bytes wanted"):
        one.unpack(b"abc")


def test_a_refusal_speaks():
    error = XenError("bad_guest_pointer", address=0x1000, length=8)
    assert error.errno == 14 and error.errno_name == "EFAULT"
    assert "0x1000" in error.sentence and "8 bytes" in str(error)
    again = XenError.from_number(abi.RULES["bad_guest_pointer"].number, (0x1000, 8, 0, 0))
    assert again.sentence == error.sentence
    with pytest.raises(ValueError, match="no rule"):
        XenError("nonsense")
    with pytest.raises(ValueError, match="wants the facts"):
        XenError("bad_guest_pointer", address=1)


def test_rules_are_well_formed():
    for rule in abi.RULES.values():
        assert rule.errno in abi.ERRNOS
        assert rule.sentence.format(**dict.fromkeys(rule.facts, 1))
        assert rule.name == rule.name.lower()
