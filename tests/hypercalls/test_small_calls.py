"""xen_version, vm_assist, console_io, physdev_op, the old numbers, and what is refused altogether."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hv import abi
from hv.disposition import RETRY
from hv.native import lib
from tests.hypercalls.lab import ARGUMENT, Lab

NOWHERE = 0xDEAD0000


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    assert lab.audit() == ""


def call(lab: Lab, name: str, *args: int, page: bytes = b"") -> Any:
    """(result, the page at ARGUMENT afterwards)."""
    memory = {ARGUMENT >> 12: bytearray(page).ljust(4096, b"\0")}
    return lab.call(lab.d1.vcpus[0], name, list(args), memory), memory[ARGUMENT >> 12]


# ---- xen_version ----


def test_versions(lab: Lab) -> None:
    assert call(lab, "xen_version", abi.XENVER_version, 0)[0] == 4 << 16 | 17
    assert call(lab, "xen_version", abi.XENVER_pagesize, 0)[0] == 4096
    assert call(lab, "xen_version", abi.XENVER_pagesize, 8)[0] == "EINVAL version_pagesize_argument"
    assert call(lab, "xen_version", abi.XENVER_build_id, 0)[0] == "EPERM version_build_id"
    assert call(lab, "xen_version", 11, 0)[0] == "ENOSYS unknown_subop"


@pytest.mark.parametrize(
    ("sub", "size", "text"),
    [
        ("extraversion", 16, b".0"), ("changeset", 64, b"unavailable"),
        ("capabilities", 1024, b"xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "),
        ("commandline", 1024, b"<denied>"), ("guest_handle", 16, b""), ("compile_info", 144, b"xenlab"),
    ],
)  # fmt: skip
def test_strings_fill_their_array_and_no_byte_more(lab: Lab, sub: str, size: int, text: bytes) -> None:
    number = abi.constant(f"XENVER_{sub}")
    result, page = call(lab, "xen_version", number, ARGUMENT, page=b"\xff" * 4096)
    assert result == 0 and page[size:] == b"\xff" * (4096 - size)
    assert page[: len(text) + 1] == text + b"\0"
    assert lab.call(lab.d1.vcpus[0], "xen_version", [number, NOWHERE]) == "EFAULT bad_guest_pointer"


def test_platform_parameters(lab: Lab) -> None:
    result, page = call(lab, "xen_version", abi.XENVER_platform_parameters, ARGUMENT)
    assert result == 0 and int.from_bytes(page[:8], "little") == 0xFFFF800000000000


def test_features_of_a_pv_domain(lab: Lab) -> None:
    result, page = call(lab, "xen_version", abi.XENVER_get_features, ARGUMENT)
    assert result == 0
    bits = {n for n in range(32) if page[4 + n // 8] >> n % 8 & 1}
    assert bits == {5, 6, 7, 13, 16}
    assert call(lab, "vm_assist", abi.VMASST_CMD_enable, abi.VMASST_TYPE_pae_extended_cr3)[0] == 0
    _, page = call(lab, "xen_version", abi.XENVER_get_features, ARGUMENT)
    assert page[4] >> abi.XENFEAT_pae_pgdir_above_4gb & 1
    wrong = call(lab, "xen_version", abi.XENVER_get_features, ARGUMENT, page=b"\1")[0]
    assert wrong == "EINVAL version_submap"


# ---- vm_assist ----


def test_assists(lab: Lab) -> None:
    for kind in (0, 1, 2, 3, 4, 5, 32):
        assert call(lab, "vm_assist", abi.VMASST_CMD_enable, kind)[0] == 0
        assert lab.d1.c.vm_assist >> kind & 1
        assert call(lab, "vm_assist", abi.VMASST_CMD_disable, kind)[0] == 0
        assert lab.d1.c.vm_assist == 0
    for kind in (6, 31, 33, 63, 64, 0xFFFFFFFF):
        assert call(lab, "vm_assist", abi.VMASST_CMD_enable, kind)[0] == "EINVAL vm_assist_type"
    assert call(lab, "vm_assist", 2, 0)[0] == "ENOSYS unknown_subop"
    assert call(lab, "vm_assist", 2, 6)[0] == "EINVAL vm_assist_type"


# ---- console_io ----


def test_console_write_is_cut_into_pieces(lab: Lab) -> None:
    assert call(lab, "console_io", abi.CONSOLEIO_write, 5, ARGUMENT, page=b"hello")[0] == 0
    assert lab.d1.console_log == b"hello"
    args = [abi.CONSOLEIO_write, 4097, ARGUMENT]
    pages = {ARGUMENT >> 12: bytearray(b"x" * 4096)}
    assert lab.call(lab.d1.vcpus[0], "console_io", args, pages) is RETRY
    assert args[:3] == [abi.CONSOLEIO_write, 1, ARGUMENT + 4096]
    assert lab.call(lab.d1.vcpus[0], "console_io", args, pages) == "EFAULT bad_guest_pointer"
    assert len(lab.d1.console_log) == 5 + 4096


def test_console_refusals(lab: Lab) -> None:
    assert call(lab, "console_io", abi.CONSOLEIO_write, 0, NOWHERE)[0] == 0
    assert call(lab, "console_io", abi.CONSOLEIO_write, 1, NOWHERE)[0] == "EFAULT bad_guest_pointer"
    assert call(lab, "console_io", abi.CONSOLEIO_read, 1, ARGUMENT)[0] == "EPERM console_io_denied"
    assert call(lab, "console_io", 9, 1, ARGUMENT)[0] == "EPERM console_io_denied"


# ---- physdev_op ----


def physdev(lab: Lab, sub: str, **fields: int) -> Any:
    number = abi.constant(f"PHYSDEVOP_{sub}")
    return lab.op(lab.d1.vcpus[0], "physdev_op", number, abi.SUBOPS["physdev_op"][number].argument, **fields)


def test_io_privilege(lab: Lab) -> None:
    v = lab.d1.vcpus[0].c
    assert physdev(lab, "set_iopl", iopl=3)[0] == 0 and v.iopl == 3
    assert physdev(lab, "set_iopl", iopl=4)[0] == "EINVAL physdev_iopl" and v.iopl == 3
    assert physdev(lab, "set_iobitmap", bitmap=0x7000, nr_ports=65536)[0] == 0
    assert (v.iobmp, v.iobmp_ports) == (0x7000, 65536)
    assert physdev(lab, "set_iobitmap", bitmap=0x7000, nr_ports=65537)[0] == "EINVAL physdev_iobitmap"
    assert physdev(lab, "set_iobitmap", bitmap=0xFFFF800000000000, nr_ports=1)[0] == "EINVAL physdev_iobitmap"
    assert (v.iobmp, v.iobmp_ports) == (0x7000, 65536)


def test_the_eoi_map_is_held(lab: Lab) -> None:
    frame = lab.d1.frame()
    refs = lib.hv_pages(lab.native)[frame].ref_info
    for wrong in (lab.d2.frame(), 0, 1 << 40):
        assert physdev(lab, "pirq_eoi_gmfn_v2", gmfn=wrong)[0] == "EINVAL physdev_eoi_frame"
    assert physdev(lab, "pirq_eoi_gmfn_v2", gmfn=frame)[0] == 0
    assert lib.hv_pages(lab.native)[frame].ref_info > refs and lab.audit() == ""
    assert physdev(lab, "pirq_eoi_gmfn_v1", gmfn=frame)[0] == "EBUSY physdev_eoi_set"
    table = lab.d1.frame()
    lab.d1.c.pirq_eoi_frame, held = 0, lab.d1.c.pirq_eoi_frame
    assert lib.hv_pin_table(lab.native, lab.d1.c, table, 1) == 0
    assert physdev(lab, "pirq_eoi_gmfn_v2", gmfn=table)[0] == "EINVAL physdev_eoi_frame"
    lab.d1.c.pirq_eoi_frame = held


@pytest.mark.parametrize(
    ("sub", "fields", "reason"),
    [
        ("eoi", {"irq": 3}, "EINVAL physdev_pirq_unbound"),
        ("eoi", {"irq": 256}, "EINVAL physdev_pirq_range"),
        ("irq_status_query", {"irq": 0xFFFFFFFF}, "EINVAL physdev_pirq_range"),
        ("map_pirq", {"domid": abi.DOMID_SELF}, "EPERM physdev_denied"),
        ("map_pirq", {"domid": 55}, "ESRCH no_such_domain"),
        ("unmap_pirq", {"domid": 1}, "EPERM physdev_denied"),
        ("get_free_pirq", {"type": 1}, "ENOSPC physdev_no_free_pirq"),
        ("apic_read", {}, "EPERM physdev_denied"),
        ("apic_write", {}, "EPERM physdev_denied"),
        ("alloc_irq_vector", {}, "EPERM physdev_denied"),
        ("setup_gsi", {}, "EPERM physdev_denied"),
        ("restore_msi", {}, "EPERM physdev_denied"),
        ("pci_mmcfg_reserved", {}, "EPERM physdev_denied"),
        ("dbgp_op", {}, "EPERM physdev_denied"),
        ("free_irq_vector", {}, "ENOSYS unknown_subop"),
    ],
)
def test_devices_are_refused(lab: Lab, sub: str, fields: dict[str, int], reason: str) -> None:
    assert physdev(lab, sub, **fields)[0] == reason


def test_interrupt_questions(lab: Lab) -> None:
    result, left = physdev(lab, "irq_status_query", irq=5)
    assert result == 0 and left["flags"] == abi.XENIRQSTAT_needs_eoi
    assert lab.call(lab.d1.vcpus[0], "physdev_op", [abi.PHYSDEVOP_IRQ_UNMASK_NOTIFY, 0]) == 0
    wild = lab.call(lab.d1.vcpus[0], "physdev_op", [abi.PHYSDEVOP_apic_read, NOWHERE])
    assert wild == "EFAULT bad_guest_pointer"


# ---- the old numbers ----


def test_event_channel_op_compat(lab: Lab) -> None:
    layout = abi.layout("evtchn_op")
    op = layout.pack({"cmd": abi.EVTCHNOP_bind_ipi, "u": {"bind_ipi": {"vcpu": 1}}})
    result, page = call(lab, "event_channel_op_compat", ARGUMENT, page=op)
    assert result == 0
    port = layout.unpack(page)["u"]["bind_ipi"]["port"]
    assert lab.d1.evtchn(port).state == lib.ECS_IPI
    for command in (abi.EVTCHNOP_reset, abi.EVTCHNOP_init_control, 99):
        op = layout.pack({"cmd": command})
        assert call(lab, "event_channel_op_compat", ARGUMENT, page=op)[0] == "ENOSYS unknown_subop"
    assert call(lab, "event_channel_op_compat", NOWHERE)[0] == "EFAULT bad_guest_pointer"


def test_physdev_op_compat(lab: Lab) -> None:
    layout = abi.layout("physdev_op")
    op = layout.pack({"cmd": abi.PHYSDEVOP_set_iopl, "u": {"set_iopl": {"iopl": 2}}})
    assert call(lab, "physdev_op_compat", ARGUMENT, page=op)[0] == 0 and lab.d1.vcpus[0].c.iopl == 2
    op = layout.pack({"cmd": abi.PHYSDEVOP_eoi})
    assert call(lab, "physdev_op_compat", ARGUMENT, page=op)[0] == "ENOSYS unknown_subop"


# ---- refused ----


@pytest.mark.parametrize("name", ["kexec_op", "hypfs_op", "mca"])
def test_control_domain_only(lab: Lab, name: str) -> None:
    assert call(lab, name, 0, NOWHERE)[0] == "EPERM control_domain_only"


@pytest.mark.parametrize("name", ["tmem_op", "argo_op", "xsm_op", "xenoprof_op"])
def test_not_built_in(lab: Lab, name: str) -> None:
    assert call(lab, name, 0, NOWHERE)[0] == "ENOSYS not_built_in"


@pytest.mark.parametrize(
    ("name", "version"), [("sysctl", 0x15), ("domctl", 0x15), ("platform_op", 0x03000000)]
)
def test_versions_are_judged_before_rights(lab: Lab, name: str, version: int) -> None:
    assert call(lab, name, NOWHERE)[0] == "EFAULT bad_guest_pointer"
    assert call(lab, name, ARGUMENT)[0] == "EACCES interface_version"
    right = bytes(4) + version.to_bytes(4, "little")
    assert call(lab, name, ARGUMENT, page=right)[0] == "EPERM control_domain_only"


def test_other_refusals(lab: Lab) -> None:
    assert call(lab, "xenpmu_op", 0, ARGUMENT)[0] == "EOPNOTSUPP no_vpmu"
    assert call(lab, "paging_domctl_cont", ARGUMENT)[0] == "EBADRQC not_a_continuation"
    go_on = abi.layout("xen_domctl").pack({"cmd": abi.XEN_DOMCTL_shadow_op, "interface_version": 0x15})
    assert call(lab, "paging_domctl_cont", ARGUMENT, page=go_on)[0] == "EPERM control_domain_only"
    param = abi.layout("xen_hvm_param").pack
    for fields, reason in [
        ({"domid": abi.DOMID_SELF}, "EINVAL not_an_hvm_domain"),
        ({"domid": 0}, "EINVAL not_an_hvm_domain"),
        ({"index": 39}, "EINVAL hvm_param_index"),
        ({"domid": 66}, "ESRCH no_such_domain"),
    ]:
        assert call(lab, "hvm_op", abi.HVMOP_get_param, ARGUMENT, page=param(fields))[0] == reason
    assert call(lab, "hvm_op", abi.HVMOP_flush_tlbs, 0)[0] == "EINVAL hvm_only"
    assert call(lab, "hvm_op", 77, ARGUMENT)[0] == "ENOSYS unknown_subop"
    assert call(lab, "dm_op", abi.DOMID_SELF, 1, ARGUMENT)[0] == "EPERM dm_op_self"
    assert call(lab, "dm_op", 2, 0, 0)[0] == "EPERM other_domain_denied"
    assert call(lab, "dm_op", 2, 1, NOWHERE)[0] == "EFAULT bad_guest_pointer"
    assert call(lab, "dm_op", 2, 4, ARGUMENT)[0] == "E2BIG dm_op_buffers"
    assert call(lab, "dm_op", 88, 0, 0)[0] == "ESRCH no_such_domain"
