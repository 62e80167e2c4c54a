"""Launching guests from Python: alone, side by side, and what is refused."""

from __future__ import annotations

import pytest

from hv import abi
from hv.builder.image import BuilderError
from hv.builder.load import parse_kernel
from hv.hypervisor import Stop
from hv.native import ffi, lib
from hv.toolstack.launch import GuestConfig, launch
from hv.xenstore.errors import StoreError
from tests.cli.machinecode import ENTRY, LOOP, UD2, call, guest, repeat, say, shutdown

POWEROFF = shutdown(abi.SHUTDOWN_poweroff)


def kernel(text: str, times: int = 1):  # type: ignore[no-untyped-def]
    return parse_kernel(text, guest(repeat(times, say(text)), POWEROFF, text=text))


def test_a_guest_alone() -> None:
    one = launch(kernel("one\n"), GuestConfig(memory_mib=8, vcpus=3))
    assert len(one.domain.vcpus) == 3
    assert one.hv.run().stop is Stop.SHUTDOWN
    assert one.console.text() == "one\n" and one.hv.audit() == ""


def test_the_first_vcpu_as_the_guest_finds_it() -> None:
    one = launch(parse_kernel("k", guest(LOOP)), GuestConfig(memory_mib=8))
    vcpu = one.domain.vcpus[0]
    registers, state = vcpu.registers, vcpu.state()
    stack, info = one.built.layout.boot_stack.va, one.built.layout.start_info.va
    assert stack is not None
    assert {name: value for name, value in registers.items() if value} == {
        "rip": ENTRY, "rsp": stack + 4096, "rsi": info,
    }  # fmt: skip
    assert state.rflags == 0x202 and state.cr3 == one.built.l4 << 12
    assert [state.segments[number].selector for number in range(6)] == [0, 0xE033, 0xE02B, 0, 0, 0]
    assert vcpu.read(ENTRY, 2) == LOOP and vcpu.c.kernel_mode and vcpu.c.online
    assert (vcpu.c.kernel_ss, vcpu.c.kernel_sp) == (0xE02B, stack + 4096)


def test_the_hypercall_page() -> None:
    """Xen, arch/x86/pv/hypercall.c: slot n is push rcx; push r11; mov eax, n; syscall; pop r11; pop rcx; ret."""
    one = launch(kernel("one\n"), GuestConfig(memory_mib=8))
    page = bytes(one.domain.frame(one.built.p2m[0x101]))
    assert page[29 * 32 : 29 * 32 + 15] == bytes.fromhex("51 41 53 b8 1d 00 00 00 0f 05 41 5b 59 c3 cc")
    # iret does not come back, and wants rax on the stack
    assert page[23 * 32 : 23 * 32 + 12] == bytes.fromhex("51 41 53 50 b8 17 00 00 00 0f 05 cc")


def test_output_goes_to_a_sink_as_it_comes() -> None:
    heard: list[bytes] = []
    one = launch(kernel("one\n", 3), GuestConfig(memory_mib=8), sink=heard.append)
    one.hv.run()
    assert heard == [b"one\n"] * 3 and one.console.text() == ""


def test_guests_side_by_side_take_turns_and_are_apart() -> None:
    first = launch(kernel("one\n", 400), GuestConfig(memory_mib=8, machine_mib=24, quantum=500))
    second = launch(kernel("two\n", 400), GuestConfig(memory_mib=8, name="second"), beside=first)
    assert second.hv is first.hv and first.domain.domid != second.domain.domid
    assert not set(first.built.p2m) & set(second.built.p2m)
    first.hv.run(max_insns=2500)
    assert "one" in first.console.text() and "two" in second.console.text()     # 400 lines are 2800 instructions each
    assert first.hv.run().stop is Stop.SHUTDOWN
    assert first.console.text() == "one\n" * 400 and second.console.text() == "two\n" * 400
    assert first.hv.audit() == ""


def test_one_guest_crashes_and_the_other_goes_on() -> None:
    first = launch(parse_kernel("k", guest(UD2)), GuestConfig(memory_mib=8, machine_mib=16))
    second = launch(kernel("two\n"), GuestConfig(memory_mib=8), beside=first)
    first.hv.run()
    assert first.domain.c.shutdown_code == abi.SHUTDOWN_crash
    assert second.domain.c.shutdown_code == abi.SHUTDOWN_poweroff and second.console.text() == "two\n"


def test_a_destroyed_guest_gives_all_its_memory_back() -> None:
    first = launch(kernel("one\n"), GuestConfig(memory_mib=8, machine_mib=16))
    free = int(first.hv.state.free_frames)
    for _ in range(3):
        second = launch(kernel("two\n"), GuestConfig(memory_mib=8), beside=first)
        first.hv.run()
        second.destroy()
        assert first.hv.state.free_frames == free and first.hv.audit() == ""


def test_xenstore_forgets_a_destroyed_guest() -> None:
    """Its ring's frame may be another domain's by then."""
    first = launch(kernel("one\n"), GuestConfig(memory_mib=8, machine_mib=16))
    second = launch(kernel("two\n"), GuestConfig(memory_mib=8, name="second"), beside=first)
    path = f"/local/domain/{second.domain.domid}/name"
    assert first.store.daemon.store.read(0, path) == b"second"
    second.destroy()
    second.console.feed(b"x")
    first.store.daemon.serve()
    with pytest.raises(StoreError):
        first.store.daemon.store.read(0, path)
    third = launch(kernel("two\n"), GuestConfig(memory_mib=8, name="third"), beside=first)
    third.destroy()         # before xenstored has heard of it
    first.store.daemon.serve()
    assert first.hv.run().stop is Stop.SHUTDOWN and first.hv.audit() == ""


@pytest.mark.parametrize("ring", ["store_frame", "console_frame"])
def test_a_back_ends_page_stays_what_it_is(ring: str) -> None:
    """The host writes to it whenever it is asked to: it must never be another domain's memory, nor a page table."""
    one = launch(parse_kernel("k", guest(LOOP)), GuestConfig(memory_mib=8, machine_mib=16))
    native, d = one.hv.native, one.domain.c
    frame = int(getattr(d, ring))
    page, free = lib.hv_pages(native)[frame], int(one.hv.state.free_frames)
    # The guest lets go of all that it can: its mapping ...
    flat = one.built.layout
    va = (flat.xenstore if ring == "store_frame" else flat.console).va
    args = ffi.new("uint64_t[6]", [va, 0, 0, 0, 0, 0])
    vcpu = one.domain.vcpus[0]
    assert lib.hv_hypercall(native, vcpu.c, abi.HYPERCALL_NUMBERS["update_va_mapping"], args) == 0
    # ... to make it a page table ...
    assert lib.hv_pin_table(native, d, frame, 1) == -abi.ERRNOS["EINVAL"]
    assert not lib.hv_frame_unused(native, d, frame)
    # ... or to give it back.
    assert lib.hv_release_frame(native, d, frame) == 0
    assert page.owner == one.domain.domid and one.hv.state.free_frames == free and one.hv.audit() == ""
    one.store.daemon.serve()
    one.console.feed(b"x")
    one.destroy()
    assert page.owner == lib.OWNER_NONE


def test_what_is_refused_takes_nothing() -> None:
    first = launch(kernel("one\n"), GuestConfig(memory_mib=8, machine_mib=16))
    free = int(first.hv.state.free_frames)
    for config, words in (
        (GuestConfig(memory_mib=64), "64 MiB is more than the .* MiB that the machine has left"),
        (GuestConfig(memory_mib=2), "does not fit into 2 MiB"),
        (GuestConfig(memory_mib=8, cmdline="x" * 2000), "do not fit into start_info"),
    ):
        with pytest.raises(BuilderError, match=words):
            launch(kernel("two\n"), config, beside=first)
        assert first.hv.state.free_frames == free and len(first.hv.domains) == 1
    assert first.hv.run().stop is Stop.SHUTDOWN


def test_two_launches_of_one_kernel_are_equal() -> None:
    """Run to the same point, in two hypervisors of one process."""
    image = parse_kernel("k", guest(repeat(50, call("xen_version", abi.XENVER_version, 0)), LOOP))
    hashes = set()
    for _ in range(2):
        one = launch(image, GuestConfig(memory_mib=8))
        one.hv.run(max_insns=12345)
        hashes.add(one.hv.state_hash)
    assert len(hashes) == 1


def test_a_machine_of_many_gigabytes_has_room_for_its_m2p() -> None:
    one = launch(kernel("one\n"), GuestConfig(memory_mib=6000))
    assert len(one.built.p2m) == 6000 << 8
