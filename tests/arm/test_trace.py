"""Traces of ARM guests: what they do to power by PSCI is in them, and changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hv.cli.main import main
from hv.testing.build import build_guest, find_guest

ENVIRONMENTS = ("arm64", "arm32")


def traced(guest: str, env: str, tmp_path: Path, *words: str) -> str:
    out = tmp_path / "trace"
    assert main(["trace", str(build_guest(find_guest(guest), env)), "--vcpus", "4", "-o", str(out), *words]) == 0
    return out.read_text()


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_calls_of_psci_with_arguments_and_results(env: str, tmp_path: Path) -> None:
    text = traced("arm_psci_smp", env, tmp_path, "-e", "power")
    lines = [re.sub(r"^ *[\d,]+ ", "", line) for line in text.splitlines()]
    assert all(re.match(r"d1v\d   (PSCI|SMCCC) ", line) for line in lines)
    assert "d1v0   PSCI AFFINITY_INFO(target=0x1, level=0x0) = 1" in lines
    assert "d1v0   PSCI CPU_ON(target=0x0, entry=0x1000, context=0x0) = ALREADY_ON" in lines
    assert "d1v0   PSCI CPU_ON(target=0x4, entry=0x1000, context=0x0) = INVALID_PARAMETERS" in lines
    assert len(re.findall(r"d1v0   PSCI CPU_ON\(target=0x[123], entry=0x402\w+, context=0x404\w+\) = 0\n", text)) == 3
    assert sorted(line for line in lines if "CPU_OFF" in line) == [f"d1v{n}   PSCI CPU_OFF() = ?" for n in (1, 2, 3)]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_they_are_asked_for_by_default_and_change_nothing(env: str, tmp_path: Path) -> None:
    results = []
    for words in ([], ["-e", "hypercall"]):
        text = traced("arm_psci_smp", env, tmp_path, "--json", str(tmp_path / "all"), *words)
        assert ("PSCI" in text) == (words == [])
        results.append([line for line in text.splitlines() if "PSCI" not in line and "sched_op" in line])
        records = map(json.loads, (tmp_path / "all").read_text().splitlines())
        power = [record for record in records if record["kind"] == "power"]
        assert bool(power) == (words == [])
        for line in power:
            assert line["name"].startswith("PSCI ") and "pc" in line and isinstance(line["args"], dict)
            assert (line["result"] is None) == (line["name"] == "PSCI CPU_OFF")
    assert results[0] == results[1] != []


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_other_functions_and_the_old_version(env: str, tmp_path: Path) -> None:
    text = traced("arm_psci", env, tmp_path, "-e", "power")
    assert re.search(r"PSCI VERSION\(\) = 0x10001\n", text)
    assert re.search(r"SMCCC 0x80000000\(x1=0x\w+, x2=0x\w+, x3=0x\w+\) = 0x10001\n", text)
    assert re.search(r"= NOT_SUPPORTED\n", text)
    old = traced("arm_psci_old", env, tmp_path, "-e", "power")
    assert re.search(r"PSCI cpu_on\(target=0x\w+, entry=0x\w+\) = ", old)


def test_perfetto_has_them(tmp_path: Path) -> None:
    traced("arm_psci_smp", "arm64", tmp_path, "--perfetto", str(tmp_path / "timeline"))
    events = json.loads((tmp_path / "timeline").read_text())["traceEvents"]
    assert {"PSCI CPU_ON", "PSCI CPU_OFF"} <= {event["name"] for event in events if event.get("cat") == "power"}
