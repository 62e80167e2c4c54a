"""Domains that begin anew: when they do, and that a restart is part of the run like everything else."""

from pathlib import Path

import pytest

from hv import abi
from hv.devices.pc import PcDisk
from hv.hypervisor import Hypervisor, Stop
from hv.native import lib
from hv.testing.build import build_guest, find_guest
from hv.testing.disks import NumberedImage
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.cli.machinecode import UD2, call, guest, repeat, shutdown

REBOOT = shutdown(abi.SHUTDOWN_reboot)
WORK = call("xen_version", abi.XENVER_version, 0)


def pc(name: str = "reboot_pc", **config: object) -> Guest:
    """A guest of guests/ in place of a PC's firmware, with a blank disk."""
    usual = GuestConfig(
        kind="hvm", firmware=build_guest(find_guest(name), "hvm64"), memory_mib=16, drives=(PcDisk(NumberedImage(16)),),
        on_reboot="restart", triple_fault="reboot", vcpus=2,
    )  # fmt: skip
    return launch(None, usual._replace(**config))


def pv(tmp_path: Path, *code: bytes, **config: object) -> Guest:
    """A PV guest of a few instructions."""
    path = tmp_path / "kernel"
    path.write_bytes(guest(*code))
    return launch(path, GuestConfig(memory_mib=8)._replace(**config))


def end(hv: Hypervisor) -> tuple[int, str]:
    assert hv.run(max_insns=100_000_000).stop is Stop.SHUTDOWN
    assert hv.audit() == ""
    return hv.instructions, hv.state_hash


@pytest.fixture(scope="module")
def whole() -> tuple[int, str]:
    """The end of a run that was never disturbed."""
    machine = pc()
    found = end(machine.hv)
    assert machine.domain.restarts == 7 and "Test result: SUCCESS" in machine.console.text()
    return found


def test_shadow_tables_change_nothing(whole: tuple[int, str]) -> None:
    assert end(pc(paging="walk").hv) == end(pc(paging="shadow").hv) == whole


@pytest.mark.parametrize("limit", [1, 7, 512])
def test_blocks_change_nothing(whole: tuple[int, str], limit: int) -> None:
    machine = pc()
    lib.machine_set_block_limit(machine.hv.machine, limit)
    assert end(machine.hv) == whole


def test_time_goes_back_over_a_restart(whole: tuple[int, str]) -> None:
    machine = pc()
    hv, half = machine.hv, whole[0] // 2
    hv.run(max_insns=half)
    before, restarts = hv.snapshot(), machine.domain.restarts
    assert 0 < restarts < 7
    fork = hv.fork()
    assert end(hv) == whole and machine.domain.restarts == 7
    hv.restore(before)
    assert machine.domain.restarts == restarts
    assert end(hv) == whole and end(fork) == whole


def test_any_place_to_stop_is_as_good_as_another(whole: tuple[int, str]) -> None:
    machine = pc()
    for part in range(1, 40):
        machine.hv.run(max_insns=whole[0] * part // 40)
    assert end(machine.hv) == whole


def test_only_what_is_asked_for(tmp_path: Path) -> None:
    for code, config, restarts in (
        (REBOOT, {}, False), (REBOOT, {"on_reboot": "restart"}, True), (REBOOT, {"on_crash": "restart"}, False),
        (UD2, {}, False), (UD2, {"on_reboot": "restart"}, False), (UD2, {"on_crash": "restart"}, True),
        (shutdown(abi.SHUTDOWN_poweroff), {"on_reboot": "restart", "on_crash": "restart"}, False),
    ):  # fmt: skip
        one = pv(tmp_path, repeat(10, WORK), code, **config)
        stop = one.hv.run(max_insns=5_000).stop
        assert (stop is Stop.INSNS) == (one.domain.restarts > 3) == restarts, (code, config)


def test_a_triple_fault_is_a_crash_or_a_reboot() -> None:
    ended = pc(triple_fault="crash")
    assert ended.hv.run(max_insns=100_000_000).stop is Stop.SHUTDOWN
    assert ended.domain.shutdown_name == "crash" and ended.domain.restarts == 5
    ended = pc(on_reboot="exit")
    assert ended.hv.run(max_insns=100_000_000).stop is Stop.SHUTDOWN
    assert ended.domain.shutdown_name == "reboot" and ended.domain.restarts == 0


def test_a_guest_that_ends_before_its_first_instruction_is_given_up(tmp_path: Path) -> None:
    """It would be begun anew for ever, and no limit of instructions would end that."""
    one = pv(tmp_path, UD2, on_crash="restart")
    assert one.hv.run(max_insns=1000).stop is Stop.SHUTDOWN
    assert one.domain.shutdown_name == "crash" and "before its first instruction" in one.domain.crash_reason


def test_the_wall_clock_is_looked_at_between_restarts(tmp_path: Path) -> None:
    one = pv(tmp_path, WORK, REBOOT, on_reboot="restart")
    assert one.hv.run(wall_seconds=0.2).stop is Stop.WALL
