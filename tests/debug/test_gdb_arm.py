"""The GDB server of ARM guests under the real gdb, which learns of their registers from the target description."""

from __future__ import annotations

import re

import pytest

from hv.testing.runner import DomainUnderTest, Options
from tests.debug.served import Served, printed

HASH = re.compile(r"^[0-9a-f]{64}$", re.MULTILINE)
COUNT = re.compile(r"^([\d,]+)$", re.MULTILINE)
MEMORY_MIB = 8
PROGRAM = "gdb-multiarch"
"""Debian's gdb knows the host's architecture alone."""
pytestmark = pytest.mark.parametrize("env", ["arm64", "arm32"])


def counts(said: str) -> list[int]:
    return [int(text.replace(",", "")) for text in COUNT.findall(said)]


def straight(env: str, count: int) -> str:
    """The state hash of a run without a debugger, there."""
    dom = DomainUnderTest("grant_batch", Options(memory=MEMORY_MIB, env=env))
    dom.hv.run(max_insns=count)
    return dom.state_hash


def test_code_registers_and_calls_in_both_directions(env: str) -> None:
    with Served("grant_batch", env=env, memory=MEMORY_MIB) as served:
        said = served.gdb(
            "break grants_setup_v1", "continue", "bt 2", "print frames", "info registers pc cpsr", "monitor position",
            "monitor state-hash", "stepi 5", "reverse-stepi 5", "monitor state-hash", "finish", "monitor position",
            "reverse-finish", "info registers sctlr_el1 sctlr", program=PROGRAM,
        )  # fmt: skip
    assert re.search(r"Breakpoint 1, grants_setup_v1 \(frames=.*1\) at .*grants\.c:\d+", said)
    assert re.search(r"^#0 +grants_setup_v1 .*\n#1 +0x\w+ in test_main \(\).*grant_batch\.c", said, re.MULTILINE)
    assert "<grants_setup_v1" in printed(said, "pc ")[0]
    assert "F I A" in printed(said, "cpsr ")[0]
    first, behind = counts(said)
    assert first < behind
    assert HASH.findall(said) == [straight(env, first)] * 2
    assert "Value returned is" in said


def test_a_watchpoint_backwards_and_forwards_again(env: str) -> None:
    """Of a write by the guest: backwards gdb stops before it, forwards behind it, at the same counts."""
    with Served("grant_batch", env=env, memory=MEMORY_MIB) as served:
        said = served.gdb(
            "break inspect", "continue", "delete", "print ops[0].status", "watch ops[1].ref_a", "reverse-continue",
            "monitor position", "print ops[1].ref_a", "continue", "monitor position", "print ops[1].ref_a",
            program=PROGRAM,
        )  # fmt: skip
    before, after = counts(said)
    assert after == before + 1
    assert re.findall(r"^\$\d = (\d+)$", said, re.MULTILINE) == ["0", "0", "20"]


def test_registers_and_memory_are_set(env: str) -> None:
    name = "x7" if env == "arm64" else "r7"
    with Served("grant_batch", env=env, memory=MEMORY_MIB) as served:
        said = served.gdb(
            "break test_main", "continue", f"set ${name} = 0x1234", "set $cpsr = $cpsr | 0x20000000", "stepi",
            f"print ${name}", "print $cpsr", "set var ops[3].ref_a = 99", "print ops[3].ref_a", "monitor registers",
            program=PROGRAM,
        )  # fmt: skip
    assert re.findall(r"^\$\d = (\d+)$", said, re.MULTILINE) == [str(0x1234), "99"]
    assert re.search(r"^\$2 = \[.* C .*\]$", said, re.MULTILINE)
    assert re.search(rf"\b{name} +0*1234\b", said)
