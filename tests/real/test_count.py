"""The count of retired instructions of a real kernel equals that of a hook on every instruction."""

import pytest

from hv.native import lib
from hv.toolstack.launch import GuestConfig, launch
from tests.real.packages import kernel

pytestmark = pytest.mark.real

# By then Linux takes page faults, patches itself and switches tasks; its first instructions only clear memory.
START = 1_450_000_000
COUNTED = 50_000_000


def test_50_million_instructions_of_linux() -> None:
    guest = launch(kernel(), GuestConfig(memory_mib=256, cmdline="console=hvc0"))
    guest.hv.run(max_insns=START)
    assert lib.machine_count_by_hook(guest.hv.machine) == 0
    guest.hv.run(max_insns=START + COUNTED)
    assert guest.hv.instructions == START + COUNTED
    assert lib.machine_hooked(guest.hv.machine) == COUNTED
