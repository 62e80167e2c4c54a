"""The commands that people type, on the tour guest: what each says, its errors, and that none changes the run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hv.debug.commands import CommandError, execute, load_commands
from hv.debug.commands.completion import complete
from hv.debug.debugger import Debugger
from hv.debug.expressions import compile_expression
from hv.debug.snapshot_file import load, save
from hv.debug.symbols import symbols_of
from hv.debug.timeline import Timeline
from hv.testing.runner import DomainUnderTest, Options
from tests.debug.straight import MEMORY_MIB

CMDLINE = "rounds=5"
DOCS = Path(__file__).parents[2] / "docs" / "debug.md"


def tour(guest: str = "tour", cmdline: str = CMDLINE) -> Debugger:
    dom = DomainUnderTest(guest, Options(cmdline=cmdline, memory=MEMORY_MIB))
    return Debugger(dom.hv, symbols=symbols_of(dom.guest.image))


@pytest.fixture
def debugger() -> Debugger:
    return tour()


@pytest.fixture(scope="module")
def at_send() -> Debugger:
    """Before the guest's first event to itself, in round 1. For commands that only look."""
    debugger = tour()
    execute(debugger, "break-hypercall event_channel_op.send if port == 3")
    execute(debugger, "continue")
    return debugger


def value(debugger: Debugger, expression: str) -> int:
    return compile_expression(expression, debugger.symbols)(debugger.vcpu)


# ---- moving ----


def test_the_prompt_and_the_screen_complete_the_same_way(debugger: Debugger) -> None:
    assert complete(debugger, "") == ("", sorted(load_commands()))
    assert complete(debugger, "reverse-st") == ("reverse-step ", [])
    assert complete(debugger, "break-") == ("break-", ["break-event", "break-hypercall", "break-trap"])
    assert complete(debugger, "rev") == ("reverse-", ["reverse-continue", "reverse-step"])
    assert complete(debugger, "break tour_gr") == ("break tour_grant ", [])
    assert complete(debugger, "break tour_store if *tour_rou") == ("break tour_store if *tour_round ", [])
    assert complete(debugger, "display 8+tour_rou") == ("display 8+tour_round ", [])
    assert complete(debugger, "break nothing_so") == ("break nothing_so", [])
    line, found = complete(debugger, "  break tour_")
    assert line == "  break tour_" and {"tour_grant", "tour_round", "tour_store"} <= set(found)


def test_before_the_first_moment_there_is_nothing(tmp_path: Path) -> None:
    debugger = tour()
    execute(debugger, "goto 100")
    assert execute(debugger, "reverse-step 101") == "begin at instruction 0"
    assert execute(debugger, "reverse-step") == "begin at instruction 0"
    execute(debugger, "goto 5000")
    save(tmp_path / "f", debugger.hv, [debugger.hv.snapshot()], {})
    loaded = load(tmp_path / "f")
    later = Debugger(loaded.hv, timeline=Timeline(loaded.hv, moments=loaded.snapshots))
    said = "begin at instruction 5,000: no earlier moment is known"
    assert execute(later, "step") == "at instruction 5,001"
    assert execute(later, "reverse-step") == "at instruction 5,000"
    assert execute(later, "reverse-step") == execute(later, "goto 4999") == said


def test_a_crash_is_said_with_its_reason() -> None:
    debugger = tour("crash_double")
    said = execute(debugger, "continue")
    assert re.fullmatch(r"crash at instruction [\d,]+: .*stack.* \(#UD\)", said), said
    assert "d1v0  ended: crash " in execute(debugger, "vcpus")
    assert execute(debugger, "reverse-step").startswith("at instruction ")
    assert "running" in execute(debugger, "vcpus")
    assert execute(debugger, "continue") == said


def test_steps_and_places(debugger: Debugger) -> None:
    assert execute(debugger, "step 5") == "at instruction 5"
    assert execute(debugger, "reverse-step 2") == "at instruction 3"
    assert execute(debugger, "goto 12_000") == "at instruction 12,000"
    assert execute(debugger, "goto 100") == "at instruction 100"
    assert execute(debugger, "position") == "100"
    assert execute(debugger, "until 2000") == "at instruction 2,000"
    assert execute(debugger, "next-hypercall").startswith("stop point: hypercall at instruction ")
    there = execute(debugger, "position")
    execute(debugger, "step")
    assert execute(debugger, "previous-hypercall").endswith(there)
    assert execute(debugger, "continue").startswith("shutdown at instruction")
    assert execute(debugger, "reverse-continue") == "begin at instruction 0"


def test_short_words(debugger: Debugger) -> None:
    execute(debugger, "s 3")
    execute(debugger, "S")
    assert execute(debugger, "pos") == "2"
    assert execute(debugger, "") == execute(debugger, "  # a comment") == ""


# ---- stop points ----


def test_break_at_a_symbol_a_line_and_under_a_condition(debugger: Debugger) -> None:
    assert execute(debugger, "break tour_grant if *tour_round == 3").startswith("1: ")
    execute(debugger, "continue")
    assert value(debugger, "*tour_round") == 3
    assert value(debugger, "rip == tour_grant") == 1
    execute(debugger, "delete 1")
    said = execute(debugger, "break tour.c:71")
    assert re.match(r"2: 0x[0-9a-f]+ tour_store\S* \(tour\.c:\d+\)$", said)
    execute(debugger, "continue")
    assert value(debugger, "*tour_round") == 3
    execute(debugger, "reverse-continue")
    assert value(debugger, "*tour_round") == 2


def test_watchpoints(debugger: Debugger) -> None:
    assert "tour_round (8 bytes)" in execute(debugger, "watch tour_round")
    for count in (1, 2):
        assert "watch" in execute(debugger, "continue")
        assert value(debugger, "*tour_round") == count
    execute(debugger, "delete all")
    assert "events (4 bytes)" in execute(debugger, "rwatch events")
    assert "rwatch" in execute(debugger, "continue")
    execute(debugger, "delete all")
    execute(debugger, "awatch ticks 4")
    before = value(debugger, "u32[ticks]")
    execute(debugger, "continue")
    execute(debugger, "continue")
    execute(debugger, "continue")
    assert value(debugger, "u32[ticks]") == before + 1


def test_hypercalls_by_field(debugger: Debugger) -> None:
    execute(debugger, "break-hypercall grant_table_op.map_grant_ref if ref == 8")
    assert "map_grant_ref if ref == 8" in execute(debugger, "continue")
    assert "GNTTABOP_map_grant_ref" in execute(debugger, "where")
    execute(debugger, "delete all")
    execute(debugger, "break-hypercall grant_table_op.map_grant_ref if ref == 9")
    execute(debugger, "break-hypercall sched_op if reason == SHUTDOWN_poweroff")
    assert "SHUTDOWN_poweroff" in execute(debugger, "continue")
    assert execute(debugger, "reverse-continue") == "begin at instruction 0"


def test_traps_and_events(debugger: Debugger) -> None:
    assert execute(debugger, "break-trap #pf") == "1: trap #PF"
    assert execute(debugger, "continue").startswith("stop point: trap #PF")
    assert "tour_page_table" in execute(debugger, "where")
    execute(debugger, "delete all")
    execute(debugger, "break-event 3")
    assert "event on port 3" in execute(debugger, "continue")
    assert "EVTCHNOP_send, {port=3}" in execute(debugger, "hypercalls 1") + execute(debugger, "where")
    execute(debugger, "break-event any")
    assert execute(debugger, "points") == "2: event on port 3\n3: event on port any"
    assert execute(debugger, "delete all") == "2 stop points deleted"
    assert execute(debugger, "points") == "no stop point is set"


def test_there_is_room_for_so_many_watchpoints(debugger: Debugger) -> None:
    for at in range(32):
        execute(debugger, f"watch {0x1000 + 8 * at}")
    with pytest.raises(CommandError, match="there is no room for watch 0x2000 .*32 of them for memory; delete some"):
        execute(debugger, "watch 0x2000")
    assert len(debugger.points) == 32
    execute(debugger, "step")


# ---- looking ----


def test_where_says_function_line_and_call(at_send: Debugger) -> None:
    first, instruction, call = execute(at_send, "where").splitlines()
    assert re.match(r"[\d,]+  d1v0  0x[0-9a-f]+ hypercall_page\+0x408$", first)
    assert instruction.endswith("  syscall")
    assert call == "   event_channel_op(EVTCHNOP_send, {port=3})"


def test_registers_and_expressions(at_send: Debugger) -> None:
    registers = at_send.vcpu.registers
    text = execute(at_send, "registers")
    for name in ("rip", "rsp", "rax", "r15"):
        assert f"{name} {registers[name]:016x}" in text
    assert "cs e033" in text
    assert execute(at_send, "print rax").startswith("0x20 (32)")
    assert execute(at_send, "print $rdi + 1") == "0x5 (5)"
    assert execute(at_send, "print tour_round").endswith(" tour_round")
    assert value(at_send, "[rsp]") == value(at_send, "*rsp") == value(at_send, "u64[rsp]")
    assert value(at_send, "u8[rsp]") == value(at_send, "*rsp") & 0xFF
    assert value(at_send, "*tour_round == 1 && !(rax < 3) || 0 / 1") == 1
    assert value(at_send, "(1 << 63) * 2 + 7 % 4 - ~0") == 4
    assert value(at_send, "rflags & 0x200 | 2 ^ 1") == 0x203


def test_memory_and_machine_memory(at_send: Debugger) -> None:
    rsp = at_send.vcpu.registers["rsp"]
    stack = at_send.vcpu.peek(rsp, 32) or b""
    lines = execute(at_send, "memory rsp 32").splitlines()
    assert [line.split("  ")[1] for line in lines] == [stack[0:8].hex(" "), stack[16:24].hex(" ")]
    machine = re.search(r"-> frame (0x[0-9a-f]+)", execute(at_send, f"walk {rsp}"))
    assert machine is not None
    there = (int(machine[1], 16) << 12) + (rsp & 0xFFF)
    assert execute(at_send, f"xp {there} 8").split("  ")[1] == stack[:8].hex(" ")
    end = at_send.symbols.find("percpu_areas") or 0
    assert execute(at_send, f"memory {end} 16").splitlines()[0].startswith(f"{end:#018x}")


def test_code_stack_and_calls(at_send: Debugger) -> None:
    around = execute(at_send, "disassemble").splitlines()
    assert around[0].startswith("hypercall_page+")
    assert [line for line in around if line.startswith("->")] == [
        f"-> {at_send.vcpu.registers['rip']:#x}  syscall"
    ]
    assert "mov eax, 0x20" in "\n".join(around[: around.index(f"-> {at_send.vcpu.registers['rip']:#x}  syscall")])
    assert execute(at_send, "disassemble tour_event 2").splitlines()[0] == "tour_event:"
    assert len(execute(at_send, "disassemble tour_event 7").splitlines()) == 8
    rsp = at_send.vcpu.registers["rsp"]
    assert execute(at_send, "stack 2").splitlines()[0].startswith(f"{rsp:#x}  {value(at_send, '*rsp'):016x}")
    calls = execute(at_send, "backtrace")
    assert re.search(r"tour_event.*\n.*test_main", calls)
    assert len(execute(at_send, "backtrace 1").splitlines()) == 1


def test_displays(debugger: Debugger) -> None:
    execute(debugger, "display *tour_round")
    execute(debugger, "display [0x1000]")
    execute(debugger, "break tour_store")
    execute(debugger, "continue")
    assert execute(debugger, "where").splitlines()[-2:] == [
        "1: *tour_round = 0x1 (1)",
        "2: [0x1000]: memory at 0x1000 is not mapped",
    ]
    assert execute(debugger, "undisplay 2") == "2 is shown no more: [0x1000]"
    assert execute(debugger, "display") == "1: *tour_round = 0x1 (1)"
    execute(debugger, "undisplay all")
    assert execute(debugger, "display") == "no expression is shown"


# ---- what happened ----


def test_hypercalls_before_here_with_results(at_send: Debugger) -> None:
    last = execute(at_send, "hypercalls 2").splitlines()
    assert len(last) == 2
    assert re.search(r"GNTTABOP_unmap_grant_ref, \[\{.*\}\], count=1\) = 0$", last[-1])
    here = int(execute(at_send, "position").replace(",", ""))
    counts = [int(line.split()[0].replace(",", "")) for line in execute(at_send, "hypercalls 50").splitlines()]
    assert counts == sorted(counts)
    assert counts[-1] < here


def test_one_can_go_to_each_moment_of_the_timeline(debugger: Debugger) -> None:
    execute(debugger, "goto 18000")
    lines = execute(debugger, "timeline 12").splitlines()
    here = next(at for at, line in enumerate(lines) if line.startswith(">"))
    assert here == 12
    assert len(lines) == 25
    calls = [line for line in lines if "event_channel_op(" in line]
    assert calls
    for line in calls:
        execute(debugger, f"goto {line.split()[0]}")
        assert line.split(" = ")[0].split("d1v0")[1].strip()[:30] in execute(debugger, "where")
    faults = [line for line in lines if "#PF" in line]
    for line in faults:
        execute(debugger, f"goto {line.split()[0]}")
        assert line.split("rip ")[1] in execute(debugger, "where")


def test_nothing_happened_yet(debugger: Debugger) -> None:
    assert execute(debugger, "hypercalls") == "no hypercall was made since the beginning"
    assert execute(debugger, "why") == "no hypercall was refused"


def test_why_speaks_of_what_was_refused_up_to_here() -> None:
    debugger = tour("refusals", "")
    execute(debugger, "continue")
    all_of_them = execute(debugger, "why")
    assert re.search(r" = -E[A-Z]+\n  E[A-Z]+ by rule \w+: ", all_of_them)
    assert "test_main" in all_of_them
    assert execute(debugger, "why") == all_of_them
    counts = [int(found.replace(",", "")) for found in re.findall(r"^instruction ([\d,]+)", all_of_them, re.MULTILINE)]
    middle = counts[len(counts) // 2]
    execute(debugger, f"goto {middle}")
    earlier = execute(debugger, "why")
    assert earlier and all_of_them.startswith(earlier.split("\n\n")[0])
    assert len(earlier) < len(all_of_them)
    execute(debugger, "continue")
    assert execute(debugger, "why") == all_of_them


# ---- the machine ----


def test_domains_and_vcpus() -> None:
    debugger = tour("smp", "")
    execute(debugger, "goto 1000000")
    assert re.search(rf"\n +1 .* +\d+ +{MEMORY_MIB << 8} ", execute(debugger, "domains"))
    vcpus = execute(debugger, "vcpus").splitlines()
    assert len(vcpus) >= 2
    assert sum(line.startswith("*") for line in vcpus) == 1
    other = next(line for line in vcpus if not line.startswith("*")).split()[0]
    domid, number = re.fullmatch(r"d(\d+)v(\d+)", other).groups()  # type: ignore[union-attr]
    assert execute(debugger, f"vcpu {number}").startswith(f"* {other}")
    assert execute(debugger, f"vcpu {domid}.{number}").startswith(f"* {other}")
    assert debugger.vcpu.id == int(number)


def test_channels_and_grants(at_send: Debugger) -> None:
    channels = execute(at_send, "evtchn 1").splitlines()
    assert re.match(r" +3  ipi +0 +- +-$", channels[3])
    assert re.match(r" +4  virq +0 +- +- +VIRQ_TIMER$", channels[4])
    assert "a back end of the host" in channels[1]
    assert re.search(r"ref +8  to d1  frame 0x[0-9a-f]+  access", execute(at_send, "grants"))


def test_a_grant_in_use(debugger: Debugger) -> None:
    execute(debugger, "break-hypercall grant_table_op.unmap_grant_ref")
    execute(debugger, "continue")
    text = execute(debugger, "grants")
    assert re.search(r"ref +8 .*reading writing; in use by d1: 1 write", text)
    window = debugger.symbols.find("window")
    assert re.search(rf"handle 0: ref 8 of d1, frame 0x[0-9a-f]+, at {window:#x}$", text, re.MULTILINE)


def test_looking_at_grants_makes_no_grant_table(debugger: Debugger) -> None:
    debugger.domain.c.grant_frames = 0
    assert execute(debugger, "grants") == "domain 1 has no grant table yet"
    assert debugger.domain.c.grant_frames == 0


def test_frames_and_translations(at_send: Debugger) -> None:
    walk = execute(at_send, "walk tour_round").splitlines()
    root = int(at_send.vcpu.c.cr3_kernel) >> 12
    assert walk[1].startswith(f"L4 frame {root:#x}: owner d1, L4 table pinned validated")
    assert [line[:2] for line in walk[1::2]] == ["L4", "L3", "L2", "L1", "->"]
    found = re.match(r"-> frame (0x[0-9a-f]+): owner d1, writable validated, .*; pfn (0x[0-9a-f]+)$", walk[-1])
    assert found is not None
    mfn, pfn = found.groups()
    assert f"mfn {mfn}" in execute(at_send, f"p2m {pfn}")
    assert f"pfn {pfn}" in execute(at_send, f"m2p {mfn}")
    assert execute(at_send, f"frame {mfn}").startswith(f"frame {mfn}: owner d1, writable")
    assert execute(at_send, "walk 0x1000").endswith("not mapped")


def test_console_and_store(debugger: Debugger) -> None:
    assert execute(debugger, "console") == "nothing has been printed"
    execute(debugger, "continue")
    assert execute(debugger, "console 3").splitlines() == ["round 4", "round 5", "Test result: SUCCESS"]
    assert 'tour = "round 5"' in execute(debugger, "xenstore data/tour")
    assert execute(debugger, "xenstore").startswith("/\n")
    execute(debugger, "break tour_store if *tour_round == 2")
    execute(debugger, "goto 0")
    execute(debugger, "continue")
    assert execute(debugger, "console") == "round 1"
    assert 'tour = "round 1"' in execute(debugger, "xenstore /local/domain/1/data/tour")


def test_typing_reaches_the_guest_and_changes_the_future(debugger: Debugger) -> None:
    execute(debugger, "goto 20000")
    assert execute(debugger, "type ab").startswith("3 bytes typed at instruction 20,000")
    execute(debugger, "type -n c")
    assert [entry.data for entry in debugger.hv.inputs] == [b"ab\n", b"c"]


# ---- errors ----


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "there is no command nonsense; help lists them"),
        ("re", "re may mean reverse-step, reverse-continue, registers"),
        ('print "', 'print ": No closing quotation'),
        ("step x", "step: x is not a number"),
        ("step 0", "step: 0 is out of range; give 1 to"),
        ("step 1 2", r"usage: step \[N\]"),
        ("goto", "goto takes one COUNT"),
        ("goto -1", "goto: -1 is before the beginning of time; give 0 or more"),
        ("until 5", r"until: 5 has passed; goto 5 goes back"),
        ("break tour_grnat", "break: tour_grnat: no such symbol; the nearest is tour_grant"),
        ("break tour.c:9999", "break: tour.c:9999: no code at or behind this line"),
        ("break tour_grant if", "nothing follows if; give a condition"),
        ("break tour_grant if (1", r"if: the end stands where \) is expected"),
        ("break tour_grant if 1 1", "if: 1 1: 1 is not expected there"),
        ("break tour_grant if @", "if: @: @ means nothing in an expression"),
        ("watch tour_round x", "watch: x is not a number"),
        ("watch 0xffffffffffffffff 8", "run off the end of memory"),
        ("break-hypercall event_chanel_op", "there is no hypercall 'event_chanel_op'; nearest: event_channel_op"),
        ("break-hypercall event_channel_op.snd", "has no sub-operation 'snd'"),
        ("break-hypercall event_channel_op.send if prt == 3", "has no field prt; it has cmd, arg, port"),
        ("break-hypercall memory_op.maximum_gpfn if domd == 1", "has no field domd; it has cmd, arg, domid"),
        ("break-hypercall event_channel_op if port", "if port: not FIELD OP VALUE"),
        ("break-trap #XY", "break-trap: there is no exception #XY; give a number, or one of #DE"),
        ("break-trap 999", "break-trap: there is no vector 999; give 0 to 255"),
        ("break-event 0", "break-event: there is no port 0"),
        ("delete 77", "delete: there is no stop point 77; points lists them"),
        ("memory 0x1000", "memory: 0x1000 is not mapped; walk 0x1000 shows where"),
        ("memory [0x1000]", "memory: memory at 0x1000 is not mapped"),
        ("memory rsp 99999999", "memory: 99999999 is out of range; give 1 to 65,536"),
        ("xp 0xffffffffff", "xp: 0xffffffffff is beyond the end of machine memory"),
        ("disassemble 0x1000", "disassemble: memory at 0x1000 is not mapped"),
        ("print 1/0", "print: a division by zero"),
        ("print " + "(" * 30 + "1" + ")" * 30, "more than 20 brackets or operators inside each other"),
        ("print " + "1" * 600, "the expression has 600 characters"),
        ("undisplay 5", "undisplay: there is no expression 5"),
        ("display [", "display: the end stands where a value is expected"),
        ("vcpu 7", "vcpu: domain 1 has no vcpu 7"),
        ("evtchn 9", "evtchn: there is no domain 9; there is 1"),
        ("frame 0xffffffff", "frame: there is no machine frame 0xffffffff; the last one is"),
        ("p2m 0xffffff", "p2m: no frame of domain 1 has pfn 0xffffff"),
        ("walk 0x800000000000", "walk: 0x800000000000 is not canonical"),
        ("xenstore nothing", "xenstore: there is no node /local/domain/1/nothing"),
        ("snapshot a\0b", "snapshot: embedded null byte"),
        ("type \ud800", "type: there is a character in it that stands for no bytes"),
        ("help nothing", "there is no command nothing"),
        ("quit", "quit is for the line mode and the screen"),
    ],
)
def test_errors_are_one_line(at_send: Debugger, line: str, said: str) -> None:
    points = dict(at_send.points)
    with pytest.raises(CommandError, match=said) as error:
        execute(at_send, line)
    assert "\n" not in str(error.value)
    assert at_send.points == points


# ---- the run is the same ----

LOOKING = (
    "where", "registers", "memory rsp", "xp 0x1000", "disassemble", "stack", "backtrace", "hypercalls 5", "timeline 5",
    "why", "domains", "vcpus", "vcpu 0", "evtchn", "grants", "p2m 5", "m2p 5", "walk tour_round", "frame 5", "xenstore",
    "console", "points", "display", "position", "print [rsp]", "help", "walk 0x7000",
)  # fmt: skip


def test_a_debugged_run_is_the_same_as_one_that_is_not() -> None:
    straight = DomainUnderTest("tour", Options(cmdline=CMDLINE, memory=MEMORY_MIB)).run()
    debugger = tour()
    for line in (
        "break tour_grant if *tour_round == 2", "watch tour_round", "break-trap #PF", "break-event any",
        "break-hypercall event_channel_op.send if port == 3", "display *tour_round",
    ):  # fmt: skip
        execute(debugger, line)
    for line in ("continue", "continue", "step 7", "reverse-step 3", "next-hypercall", "step", "previous-hypercall",
                 "continue", "reverse-continue", "goto 14000", "continue", "until 16000"):  # fmt: skip
        execute(debugger, line)
        before = debugger.hv.state_hash
        for look in LOOKING:
            execute(debugger, look)
            assert debugger.hv.state_hash == before, look
    execute(debugger, "delete all")
    assert execute(debugger, "continue").startswith("shutdown")
    assert execute(debugger, "state-hash") == straight.state_hash
    assert debugger.hv.instructions == straight.instructions


def test_help_and_the_manual_know_every_command(debugger: Debugger) -> None:
    text = execute(debugger, "help")
    manual = DOCS.read_text().partition("\n## Commands\n")[2]
    for name, command in load_commands().items():
        assert re.search(rf"^{name} +{re.escape(command.help)}$", text, re.MULTILINE)
        assert execute(debugger, f"help {name}").startswith(f"{name} {command.arguments}".rstrip())
        usage = f"{name} {command.arguments}".rstrip().replace("|", "\\|")
        assert f"\n| `{usage}` |" in manual
    assert set(re.findall(r"^\| `([a-z0-9-]+)", manual, re.MULTILINE)) == set(load_commands())
