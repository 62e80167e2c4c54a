"""The debugger on ARM guests: what it says of a vcpu, and time in both directions."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from hv import changes
from hv.arch.arm.report import status_text
from hv.cli.main import main
from hv.debug.timeline import Timeline
from hv.testing.build import build_guest, find_guest
from hv.toolstack.launch import Guest, launch
from tests.debug.compiled import CALLS_WITHIN_CALLS

ENVIRONMENTS = ("arm64", "arm32")


def start(environment: str) -> Guest:
    return launch(build_guest(find_guest("evtchn_loopback"), environment))


def said(environment: str, *commands: str, capsys: pytest.CaptureFixture[str]) -> str:
    words = [word for command in commands for word in ("--command", command)]
    assert main(["debug", str(build_guest(find_guest("evtchn_loopback"), environment)), *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_calls_code_and_hypercalls_are_told(environment: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(
        environment, "break test_main", "continue", "backtrace", "break-hypercall event_channel_op.alloc_unbound",
        "continue", "print pc", "reverse-step", "step", "print pc", "registers", capsys=capsys,
    )  # fmt: skip
    assert re.search(r"test_main \(evtchn_loopback.c:\d+\).*\n-> 0x\w+  \w+ .*(sp|lr)", text)
    first, second = (text.index(f"#{number} 0x") for number in (0, 1))
    assert "test_main" in text[first:second] and "guest_start" in text[second:].splitlines()[0]
    assert "hvc #0xea1\n   event_channel_op(EVTCHNOP_alloc_unbound, {dom=" in text
    places = [line for line in text.splitlines() if line.startswith("0x") and " (" in line]
    assert len(places) == 2 and places[0] == places[1]
    assert "sctlr " in text and "ttbr0 " in text
    status = r"pstate \w+ .*EL1h$" if environment == "arm64" else r"cpsr \w+ .*svc$"
    assert re.search(status, text, re.MULTILINE)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_crash_is_reported(environment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = str(build_guest(find_guest("crash_shutdown"), environment))
    assert main(["run", kernel, "--on-crash", "snapshot", "--snapshot", str(tmp_path / "crash")]) == 1
    report = capsys.readouterr().err
    assert "crashed on vcpu 0" in report and "sctlr " in report
    assert "test_main" in report.partition("call stack")[2] and "guest-physical 0x" in report
    assert main(["debug", str(tmp_path / "crash"), "--command", "backtrace"]) == 0
    assert "test_main" in capsys.readouterr().out


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_back_and_forth_is_a_straight_run(environment: str) -> None:
    straight = start(environment)
    straight.hv.run()
    end = straight.hv.instructions
    seed = random.Random(environment)
    counts = sorted(seed.randrange(end) for _ in range(6))
    straight, hashes = start(environment), {}
    for count in counts:
        straight.hv.run(max_insns=count)
        hashes[straight.hv.instructions] = straight.hv.state_hash
    timeline = Timeline(start(environment).hv, interval=3000)
    order = list(hashes) * 2
    seed.shuffle(order)
    for count in order:
        timeline.goto(count)
        assert timeline.hv.state_hash == hashes[count], count


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_registers_are_set_or_refused(environment: str) -> None:
    guest = start(environment)
    guest.hv.run(max_insns=5_000)
    vcpu, first, width = guest.domain.vcpus[0], *(("x0", 8) if environment == "arm64" else ("r0", 4))
    pc = vcpu.pc
    values = {name: (0x1230 + at).to_bytes(width, "little") for at, name in enumerate((first, "sp", "pc"))}
    values["pc"] = (pc + 4).to_bytes(width, "little")
    values[vcpu.arch.FLAGS] = (0xA000_0000).to_bytes(4, "little")
    status = int(vcpu.state().pstate)
    changes.change_registers(vcpu, values)
    assert (vcpu.registers[first], vcpu.registers["sp"], vcpu.pc) == (0x1230, 0x1231, pc + 4)
    assert int(vcpu.state().pstate) == status & 0x0FFF_FFFF | 0xA000_0000
    before = guest.hv.state_hash
    for name, data in (("sctlr", bytes(8)), ("rax", bytes(8)), (first, bytes(2)), ("pc", b"\x01" + bytes(width - 1))):
        with pytest.raises(changes.ChangeRefused):
            changes.change_registers(vcpu, {name: data})
    assert guest.hv.state_hash == before


@pytest.mark.parametrize(
    ("environment", "test", "name"), [("arm64", "arm_svc", "SVC64"), ("arm32", "arm_undefined", "UNDEF")]
)
def test_exceptions_have_the_names_of_their_classes(
    environment: str, test: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In sums, traces, stop points, and in what is said of a name that is none."""
    kernel = str(build_guest(find_guest(test), environment))
    assert main(["run", kernel, "--stats"]) == 0
    assert re.search(rf"^{name} +\d+$", capsys.readouterr().err, re.MULTILINE)
    assert main(["trace", kernel, "-e", f"trap={name.lower()}"]) == 0
    traced = re.findall(r"d1v0 +(\S+) esr 0x[0-9a-f]+ pc", capsys.readouterr().err)
    assert traced and set(traced) == {name}
    assert main(["debug", kernel, "--command", f"break-trap {name}", "--command", "continue"]) == 0
    assert f"stop point: trap {name} at instruction" in capsys.readouterr().out
    assert main(["debug", kernel, "--command", "break-trap #PF"]) != 0
    assert "DABT-EL1" in capsys.readouterr().err


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_refused_hypercall_is_told_where_it_was_made(
    environment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the instruction that made it, not behind it."""
    source = tmp_path / "mine.c"
    source.write_text(
        "#include <guest.h>\n__attribute__((noinline)) static long leaf(void) { return hcall(sched_op, 98, 0); }\n"
        "__attribute__((noinline)) static long other(void)\n{\n"
        "    long rc = hcall(sched_op, 99, 0);\n    printf(\"%ld\", rc);\n    return rc + 1;\n}\n"
        "void test_main(void)\n{\n    check(other() + leaf() != 0);\n    printf(\".\");\n}\n"
    )
    assert main(["why", str(build_guest(source, environment))]) == 0
    stacks = capsys.readouterr().err.split("instruction ")[1:]
    places = [re.findall(r"0x\w+ (\w+)\+0x\w+ \((\S+):(\d+)\)", stack)[:2] for stack in stacks]
    # the calls themselves, inlined from the library; a function without a frame record has a caller too
    assert [(made[0], made[1], file) for made, (_, file, _) in places] == [
        ("other", "regs.h", "mine.c"), ("leaf", "regs.h", "mine.c")
    ], stacks
    assert [(caller, line) for _, (caller, _, line) in places] == [("test_main", "11")] * 2, stacks


@pytest.mark.parametrize(("guest", "environment", "call"), [
    ("arm_svc", "arm64", "svc #0xabcd"), ("arm_calls32", "arm32", "svc #0x123456"),
])
def test_a_call_of_the_kernel_is_stopped_in_front_of(
    guest: str, environment: str, call: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As any exception, though the SVC has retired when its exception is taken: it is next. And again backwards."""
    kernel, name = str(build_guest(find_guest(guest), environment)), "SVC64" if environment == "arm64" else "SVC32"
    moves = [f"break-trap {name}", "continue", "position", "continue", "reverse-continue", "position"]
    assert main(["debug", kernel, *(word for move in moves for word in ("--command", move))]) == 0
    said = capsys.readouterr().out
    first, second, back = (part.splitlines() for part in said.split("stop point: trap ")[1:])
    assert first[2] == back[2] and first[2].endswith(call) and "svc" in second[2]
    assert first[4] == back[4]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_function_has_its_caller_at_each_instruction(
    environment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In front of its frame record, while there is one, and where that has gone and only the return is left."""
    source = tmp_path / "mine.c"
    source.write_text(CALLS_WITHIN_CALLS)
    commands = ["break calls", "continue", *["backtrace", "step"] * 60]
    kernel = str(build_guest(source, environment))
    assert main(["debug", kernel, *(word for one in commands for word in ("--command", one))]) == 0
    parts = capsys.readouterr().out.split("(hv) backtrace\n")[1:]
    calls = [re.findall(r"^#\d+ +\S+ (\w+)", part, re.MULTILINE)[:3] for part in parts]
    inside = [names for names in calls if names[0] in ("calls", "within")]
    assert len(inside) > 12 and calls[-1][0] not in ("calls", "within")
    callers = {"calls": ["calls", "test_main"], "within": ["within", "calls", "test_main"]}
    assert all(names[: len(callers[names[0]])] == callers[names[0]] for names in inside), inside


@pytest.mark.parametrize(("status", "text"), [
    (0x8000_03C5, "N D A I F EL1h"), (0x6000_0000, "Z C EL0t"), (0x1020_0005, "V SS EL1h"),
    (0x0000_01D3, "A I F svc"), (0x2800_0230, "C Q E T usr"), (0x0010_0015, "IL no mode"),
])  # fmt: skip
def test_the_status_register_in_words(status: int, text: str) -> None:
    assert status_text(status) == text


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_calls_go_through_an_exception_at_each_instruction_of_its_handler(
    environment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """entry.S describes its frame: of arm64 by where sp is, which follows from the size of the handler's frame."""
    text = said(environment, "break trap_entry", "continue", *["backtrace", "step"] * 8, capsys=capsys)
    parts = [part.partition("(hv)")[0] for part in text.split("(hv) backtrace\n")[1:]]
    calls = [re.findall(r"^#\d+ +\S+ (\w+)", part, re.MULTILINE) for part in parts]
    assert len(calls) == 8
    assert {tuple(names) for names in calls} == {
        ("trap_entry", "exception", "events_enable", "test_main", "guest_start", "_start")
    }


WALKED = """\
#include <guest.h>

void stop_here(void *page) { __asm__ volatile("" : : "r"(page)); }

void test_main(void)
{
    char *page = page_alloc();
    uint64_t entry = *pt_entry(page, 3);

    stop_here(page);
    page_readonly(page);
    stop_here(page);
    pt_set(page, entry & ~(uint64_t)PTE_AF);
    stop_here(page);
    pt_set(page, 0);
    stop_here(page);
}
"""


@pytest.mark.parametrize(("environment", "first"), [("arm64", "x0"), ("arm32", "r0")])
def test_a_walk_shows_each_entry_rights_and_the_fault_of_a_read(
    environment: str, first: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "walked.c").write_text(WALKED.replace("void stop_here", "__attribute__((noinline)) void stop_here"))
    stops = ["--command", "continue", "--command", f"walk {first}"] * 4
    kernel = str(build_guest(tmp_path / "walked.c", environment))
    assert main(["debug", kernel, "--command", f"walk {first}", "--command", "break stop_here", *stops]) == 0
    walks = [part.split("\n(hv) ")[0].splitlines() for part in capsys.readouterr().out.split(f"walk {first}\n")[1:]]
    heads = [re.sub("0x4[0-9a-f]{7}", "PAGE", lines[0]) for lines in walks]
    assert heads[1:] == [
        "PAGE: guest-physical PAGE, kernel rw-, user rwx",
        "PAGE: guest-physical PAGE, kernel r--, user r-x",
        "PAGE: guest-physical PAGE, kernel rw-, user rwx; a read faults: access flag, level 3",
        "PAGE: the guest's tables map nothing there; a read faults: translation, level 3",
    ]
    assert len(walks[0]) == 2 and ", kernel rwx, user rwx" in walks[0][0]  # no MMU, no entries
    for lines, leaf in zip(walks[1:], ("747", "7c7", "347", "000"), strict=True):
        sizes = [line.partition(" by ")[0].strip() for line in lines[1:4]]
        assert sizes == ["1 GiB", "2 MiB", "4 KiB"]
        assert re.fullmatch(rf"0x[0-9a-f]{{13}}{leaf} at 0x4[0-9a-f]{{7}}", lines[3].partition(" by ")[2])
    assert [len(lines) for lines in walks[1:]] == [5, 5, 5, 4]
