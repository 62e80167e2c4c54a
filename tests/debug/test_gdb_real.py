"""The GDB server under the real gdb, with its own reading of symbols and source lines."""

from __future__ import annotations

import re
from pathlib import Path

from hv import abi
from hv.debug import stops
from hv.debug.timeline import Position
from hv.testing.runner import resolve
from hv.toolstack.launch import GuestConfig, launch
from tests.debug.served import Command, Served, output_of, printed, start_gdb, symbols
from tests.debug.straight import hashes

TOUR = ("tour", "rounds=20")
HASH = re.compile(r"^[0-9a-f]{64}$", re.MULTILINE)
ROOT = Path(__file__).resolve().parents[2]


def test_the_sessions_that_its_page_shows() -> None:
    """Each line of docs/gdb.md's two sessions with the tour. The page leaves out what gdb says of the transfer, empty
    lines and the checkout's folder; a gdb in a script does not say `Continuing.`"""
    page = (ROOT / "docs" / "gdb.md").read_text()
    blocks = [re.sub(r"^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n)+", page, re.M)]
    sessions = [block for block in blocks if "(gdb) continue\n" in block and "--type hvm" not in block]
    assert len(sessions) == 2
    for session in sessions:
        opening, begin, rest = session.partition("(gdb) ")
        shown = begin + rest
        words = [word for line in re.findall(r"^\(gdb\) (.*)", shown, re.M) for word in (f"echo (gdb) {line}\\n", line)]
        with Command("gdb", str(resolve("tour")[0]), "--cmdline", "rounds=20", "--listen", "0") as hv:
            said = output_of(start_gdb(hv.port, words)).replace(f"{ROOT}/", "")
        lines = [line for line in said.splitlines() if line]
        at = lines.index(shown.splitlines()[0])
        assert lines[at:-1] == shown.splitlines()
        assert lines[-1] == "[Inferior 1 (process 1) detached]"
        assert set(opening.splitlines()[1:]) <= set(lines[:at])


def test_over_a_hypercall_and_back() -> None:
    """Must show 1: the state hash of the whole machine is the one from before."""
    with Served(*TOUR) as served:
        said = served.gdb(
            "monitor break-hypercall event_channel_op.send", "continue", "info registers rax rdi", "monitor where",
            "monitor position", "monitor state-hash", "stepi", "monitor state-hash", "monitor hypercalls 1",
            "reverse-stepi", "monitor position", "monitor state-hash", "info registers rax rdi",
        )  # fmt: skip
    assert "stop point: hypercall event_channel_op.send at instruction" in said
    assert re.search(r"^ +event_channel_op\(EVTCHNOP_send, {port=\d}\)$", said, re.M)
    assert re.search(r"d1v0 +event_channel_op\(EVTCHNOP_send, {port=\d}\) = 0$", said, re.M)
    before, behind, again = HASH.findall(said)
    assert before == again != behind
    rax, rdi = abi.HYPERCALL_NUMBERS["event_channel_op"], stops.subop_number("event_channel_op", "send")
    assert [line.split()[0] for line in printed(said, "rax ")] == [hex(rax)] * 2
    assert [line.split()[0] for line in printed(said, "rdi ")] == [hex(rdi)] * 2
    (count, there) = re.findall(r"^([\d,]+)$", said, re.MULTILINE)
    assert count == there
    place = Position(int(count.replace(",", "")))
    assert hashes(*TOUR, [place])[place] == before


def test_symbols_lines_and_call_stack() -> None:
    with Served(*TOUR) as served:
        said = served.gdb(
            "break tour_store", "continue", "bt", "list", "print tour_round", "next", "step", "finish",
            "info registers cs",
        )  # fmt: skip
    assert re.search(r"Breakpoint 1, tour_store \(\) at .*tour\.c:\d+", said)
    assert re.search(r"^#0 +tour_store \(\).*\n#1 +0x\w+ in test_main \(\).*tour\.c", said, re.MULTILINE)
    assert 'snprintf(text, sizeof text, "round %lu"' in said
    assert "$1 = 1" in said
    assert "store_write (" in said
    assert "Value returned is $2 = true" in said
    assert printed(said, "cs ")[0].split()[0] == hex(abi.FLAT_KERNEL_CS64)


def test_a_watchpoint_backwards_and_forwards_again() -> None:
    """Backwards gdb stops before the write, and forwards behind it, at the same counts."""
    with Served(*TOUR) as served:
        said = served.gdb(
            "watch tour_round", "continue", "monitor position", "continue", "monitor position", "print tour_round",
            "reverse-continue", "monitor position", "print tour_round", "continue", "monitor position",
            "print tour_round", "monitor state-hash",
        )  # fmt: skip
    first, second, back, again = (int(n.replace(",", "")) for n in re.findall(r"^([\d,]+)$", said, re.MULTILINE))
    assert first < back < second == again
    assert back == second - 1
    assert re.findall(r"^\$\d = (\d+)$", said, re.MULTILINE) == ["2", "1", "2"]
    assert said.count("Hardware watchpoint 1: tour_round") == 5  # set once, met four times
    (here,) = HASH.findall(said)
    assert hashes(*TOUR, [Position(again)]) == {Position(again): here}


def test_read_watchpoints() -> None:
    with Served(*TOUR) as served:
        said = served.gdb("rwatch tour_round", "continue", "awatch tour_round", "continue", "print tour_round")
    assert "Hardware read watchpoint 1: tour_round\n\nValue = 1" in said
    assert "Hardware access (read/write) watchpoint 2: tour_round" in said


def test_the_end_of_time_is_not_the_end_of_the_session() -> None:
    with Served(*TOUR) as served:
        said = served.gdb(
            "continue", "tbreak tour_sleep", "reverse-continue", "print tour_round", "reverse-continue",
            "info registers rip", "monitor position", "continue", "monitor state-hash",
        )  # fmt: skip
        assert served.dom.verdict.name == "SUCCESS"
        assert HASH.findall(said) == [served.state_hash]
    assert said.count("No more reverse-execution history.") == 3
    assert "the guest has shut down" in said and "this is the beginning of time" in said
    assert "$1 = 20" in said
    assert "\n0\n" in said


def test_a_crash_is_told_with_its_reason() -> None:
    with Served("crash_double") as served:
        said = served.gdb("continue", "reverse-stepi", "monitor vcpus")
    assert re.search(r"the guest has crashed: .*stack.* \(#UD\); time ends here", said)
    assert "d1v0  running " in said


def test_gdb_sees_who_called_a_hypercall_stub() -> None:
    with Served(*TOUR) as served:
        said = served.gdb("monitor break-hypercall event_channel_op.send if port == 3", "continue", "backtrace")
    names = re.findall(r"^#\d+ .*?(\w+) \(", said, re.MULTILINE)
    functions = ["event_send", "tour_event", "test_main", "guest_start"]
    assert [name for name in names if name != "arch_hypercall"][:-1] == ["hypercall_page", *functions]  # it is inlined
    assert names[-1] in ("_start", "text_start")


def test_ctrl_c_stops_a_running_guest() -> None:
    with Served("tour", "rounds=1000000") as served:
        said = served.gdb("continue", "info registers rip", "stepi", "monitor position", interrupt_at=200_000)
        assert served.dom.hv.instructions >= 200_000
    assert "Program received signal SIGINT" in said
    assert printed(said, "rip ")


def test_vcpus_are_threads() -> None:
    with Served("smp") as served:
        said = served.gdb(
            "hbreak on_ipi", "continue", "info threads", "thread 1", "info registers rip", "thread apply all bt 1",
        )  # fmt: skip
        count = len(served.debugger.vcpus)
    assert count == 4
    threads = re.findall(r"^[ *] \d +Thread 1\.(\d) \"guest/(\d)\" \(guest vcpu \d: (\w+), kernel mode\)", said, re.M)
    assert [(int(thread), int(vcpu) + 1) for thread, vcpu, _ in threads] == [(n + 1, n + 1) for n in range(count)]
    assert [state for _, _, state in threads] == ["runnable", "running", "blocked", "blocked"]
    assert re.search(r"^\* 2 +Thread 1\.2 .* on_ipi", said, re.M)
    assert re.search(r"Switching to thread 1 \(Thread 1\.1", said)
    assert said.count("\n#0 ") == count + 1


def test_each_vcpu_steps_by_itself() -> None:
    """A step of a vcpu that waits for its turn lets the others run, and is taken back with them."""
    with Served("smp") as served, served.client() as client:
        client.ask(b"Z1,%x,1" % symbols("smp")["on_ipi"])
        assert client.ask(b"vCont;c").startswith(b"T05")
        vcpus = served.debugger.vcpus
        waiting = next(v for v in vcpus if v.slot != served.dom.hv.state.running and v.c.online and not v.c.blocked)
        before = [int(vcpu.c.retired) for vcpu in vcpus]
        start, hashed = served.dom.hv.instructions, served.state_hash
        thread = b"p1.%x" % (waiting.id + 1)
        client.ask(b"z1,%x,1" % symbols("smp")["on_ipi"])
        reply = client.ask(b"vCont;s:%s" % thread)
        assert b"thread:%s;" % thread in reply
        assert int(waiting.c.retired) == before[vcpus.index(waiting)] + 1
        assert served.dom.hv.instructions > start + 1  # others ran
        client.ask(b"Hc" + thread)
        client.ask(b"bs")
        assert int(waiting.c.retired) == before[vcpus.index(waiting)]
        client.monitor(f"goto {start}")
        assert served.state_hash == hashed


def test_changes_are_repeated_when_time_passes_them_again() -> None:
    with Served(*TOUR) as served:
        said = served.gdb(
            "break tour_store", "continue", "set var tour_round = 77", "set $r15 = 0x1234", "set $xmm3.uint128 = 5",
            "print tour_round", "monitor position", "monitor state-hash", "stepi", "stepi", "monitor state-hash",
            "reverse-stepi", "reverse-stepi", "monitor state-hash", "print tour_round", "print $r15",
            "print $xmm3.uint128",
            "reverse-stepi", "print tour_round", "stepi", "monitor state-hash", "print tour_round", "stepi", "stepi",
            "monitor state-hash", "delete", "monitor goto 0", "maintenance flush register-cache", "continue",
            "monitor state-hash",
        )  # fmt: skip
        text, final = served.dom.console, served.state_hash
        changes = [entry.service for entry in served.dom.hv.inputs]
    changed, later, back, there, later_again, end = HASH.findall(said)
    assert changed == back == there
    assert later == later_again
    assert end == final
    assert re.findall(r"^\$\d+ = (\w+)$", said, re.MULTILINE) == ["77", "77", "4660", "5", "1", "77"]
    assert changes == ["debugger"] * 3
    assert text.endswith("round 4660\nTest result: SUCCESS\n")  # r15 counts the rounds


def test_what_may_not_be_changed_is_refused() -> None:
    with Served(*TOUR) as served:
        said = served.gdb(
            "monitor state-hash", "set $cr3 = 0", "set $cs = 0", "set $rip = 0x8000000000000000", "set {long}$cr3 = 1",
            "maintenance packet Qqemu.PhyMemMode:1", "set {long}$cr3 = 1", "monitor state-hash",
        )  # fmt: skip
        assert list(served.dom.hv.inputs) == []
    before, behind = HASH.findall(said)
    assert before == behind
    assert "cr3 cannot be changed from here: the guest changes it by a hypercall" in said
    assert "cs cannot be changed" in said
    assert "is not canonical" in said
    assert said.count("Cannot access memory at address") == 2


def test_gdb_fetches_the_kernel_by_itself() -> None:
    with Served(*TOUR) as served:
        said = served.gdb("break tour_store", "continue", "print tour_round", "list", kernel=False)
    assert "Reading symbols from target:/tour" in said
    assert re.search(r"Breakpoint 1, tour_store \(\) at .*tour\.c:\d+", said)
    assert "$1 = 1" in said
    assert 'snprintf(text, sizeof text, "round %lu"' in said


def test_domains_are_processes() -> None:
    """Others than the first are taken up by attaching to them, as with QEMU's machines of several cpus."""
    with Served("hello") as served:
        launch(resolve("tour")[0], GuestConfig(memory_mib=4, name="other"), beside=served.dom.guest)
        said = served.gdb(
            "disconnect", f"target extended-remote 127.0.0.1:{served.port}", "add-inferior", "inferior 2", "attach 2",
            f"file {resolve('tour')[0]}", "info threads", "hbreak tour_store", "continue", "info threads",
            "print tour_round", "reverse-stepi", "inferior 1", "info registers rip", "add-inferior", "inferior 3",
            "attach 3", "kill",
        )  # fmt: skip
    assert re.search(r"^\* 2\.1 +Thread 2\.1 \"other/0\" \(other vcpu 0: runnable", said, re.M)
    assert re.search(r"^  1\.1 +Thread 1\.1 \"guest/0\" \(guest vcpu 0: offline", said, re.M)  # it is done by then
    assert re.search(r"hit Breakpoint 1, tour_store \(\) at .*tour\.c:\d+", said)
    assert "$1 = 1" in said
    assert printed(said, "rip ")
    assert "Attaching to process 3 failed" in said
