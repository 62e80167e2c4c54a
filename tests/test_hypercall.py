"""The registry and the dispatcher, with a caller made of Python alone."""

from types import SimpleNamespace

import pytest

from hv import abi
from hv.arch import kinds
from hv.disposition import BLOCK, RETRY, Action
from hv.errors import XenError
from hv.hypercall import Context, Registry, dispatch, load_handlers


class FakeVcpu:
    """A vcpu whose memory is a bytearray at address 0x1000, the upper half read-only."""

    def __init__(self, abi_name="x86_64"):
        self.id = 0
        self.domain = SimpleNamespace(abi=abi_name, domid=7, name="fake", translated=False, c=None)
        self.memory = bytearray(0x1000)
        self.writes = 0

    def read(self, address, length):
        at = address - 0x1000
        return bytes(self.memory[at : at + length]) if at >= 0 and at + length <= 0x1000 else None

    def write(self, address, data):
        at = address - 0x1000
        if not (at >= 0 and at + len(data) <= 0x800):
            return False
        self.writes += 1
        self.memory[at : at + len(data)] = data
        return True


def call(registry, name, *args, vcpu=None):
    vcpu = vcpu or FakeVcpu()
    ctx = Context(None, vcpu, abi.HYPERCALL_NUMBERS.get(name, name), [*args, *[0] * (6 - len(args))])
    return dispatch(ctx, registry)


@pytest.fixture
def registry():
    registry = Registry()

    @registry("event_channel_op", sub=abi.EVTCHNOP_bind_virq, arg="evtchn_bind_virq")
    def bind_virq(ctx, arg):
        if arg["virq"] == 99:
            arg["port"] = 77
            raise XenError("no_such_vcpu", vcpu=arg["vcpu"])
        arg["port"] = arg["virq"] + 1
        return 0

    @registry("event_channel_op", sub=abi.EVTCHNOP_send, arg="evtchn_send")
    def send(ctx, arg):
        return arg["port"]

    @registry("set_timer_op")
    def set_timer_op(ctx, arg):
        assert arg == {}
        return ctx.args[0]

    @registry("memory_op", sub=abi.XENMEM_maximum_ram_page)
    def maximum_ram_page(ctx, arg):
        return RETRY if ctx.args[0] >> abi.MEMOP_EXTENT_SHIFT else BLOCK

    return registry


def test_the_argument_is_copied_in_and_what_changed_is_copied_out(registry):
    vcpu = FakeVcpu()
    vcpu.memory[0x10:0x1C] = abi.layout("evtchn_bind_virq").pack({"virq": 4, "vcpu": 1, "port": 0})
    assert call(registry, "event_channel_op", abi.EVTCHNOP_bind_virq, 0x1010, vcpu=vcpu) == 0
    assert abi.layout("evtchn_bind_virq").unpack(vcpu.memory, 0x10) == {"virq": 4, "vcpu": 1, "port": 5}
    assert vcpu.writes == 1


def test_nothing_is_written_when_nothing_changed_or_the_call_is_refused(registry):
    vcpu = FakeVcpu()
    vcpu.memory[0x900:0x904] = (5).to_bytes(4, "little")     # read-only to the guest
    assert call(registry, "event_channel_op", abi.EVTCHNOP_send, 0x1900, vcpu=vcpu) == 5
    vcpu.memory[0:4] = (99).to_bytes(4, "little")
    with pytest.raises(XenError, match="ENOENT"):
        call(registry, "event_channel_op", abi.EVTCHNOP_bind_virq, 0x1000, vcpu=vcpu)
    assert vcpu.writes == 0


@pytest.mark.parametrize("address", [0, 0x1FFE, 0xFFFF800000000000, 2**64 - 1])
def test_a_bad_pointer_is_efault(registry, address):
    with pytest.raises(XenError) as caught:
        call(registry, "event_channel_op", abi.EVTCHNOP_send, address)
    assert caught.value.errno_name == "EFAULT" and caught.value.facts == {"address": address, "length": 4}


def test_an_unwritable_result_is_efault(registry):
    with pytest.raises(XenError, match="EFAULT"):
        call(registry, "event_channel_op", abi.EVTCHNOP_bind_virq, 0x1900)


def test_unknown_calls_and_sub_operations(registry):
    with pytest.raises(XenError, match="ENOSYS") as caught:
        call(registry, 11)
    assert caught.value.rule == "unknown_hypercall"
    with pytest.raises(XenError, match="ENOSYS") as caught:
        call(registry, "event_channel_op", 12345, 0x1000)
    assert caught.value.facts["subop"] == 12345


def test_sub_operations_are_c_ints_and_memory_op_carries_progress(registry):
    assert call(registry, "event_channel_op", abi.EVTCHNOP_send | 1 << 40, 0x1000) == 0
    assert call(registry, "memory_op", abi.XENMEM_maximum_ram_page) is BLOCK
    assert call(registry, "memory_op", abi.XENMEM_maximum_ram_page | 3 << 6) is RETRY
    assert RETRY.action is Action.RETRY
    assert call(registry, "set_timer_op", 2**63) == 2**63


def test_the_layout_is_the_guests():
    registry = Registry()
    seen = []
    registry("sched_op", sub=abi.SCHEDOP_poll, arg="sched_poll")(lambda ctx, arg: seen.append(arg) or 0)
    for name in ("x86_64", "x86_32"):
        vcpu = FakeVcpu(name)
        fields = {"ports": 0x1234, "nr_ports": 2, "timeout": 1 << 40}
        vcpu.memory[: abi.layout("sched_poll", name).size] = abi.layout("sched_poll", name).pack(fields)
        call(registry, "sched_op", abi.SCHEDOP_poll, 0x1000, vcpu=vcpu)
        assert seen.pop() == fields


def test_context_reads_and_writes_arrays_of_the_guests_long():
    for name, size in (("x86_64", 8), ("x86_32", 4)):
        vcpu = FakeVcpu(name)
        ctx = Context(None, vcpu, 12, [0] * 6)
        ctx.write_array("P", 0x1000, [1, 2, 3])
        assert ctx.array("P", 0x1000, 3) == [1, 2, 3] and ctx.word_size() == size
        assert vcpu.memory[size] == 2
        ctx.write_fields("xen_memory_map", 0x1000, {"nr_entries": 9})
        assert vcpu.memory[0] == 9 and vcpu.memory[size] == 2
        assert ctx.is_self(abi.DOMID_SELF) and ctx.is_self(7) and not ctx.is_self(8)


def test_registration_refuses_duplicates_and_nonsense(registry):
    with pytest.raises(ValueError, match=r"EVTCHNOP_send: registered twice, by .*send and .*lambda"):
        registry("event_channel_op", sub=abi.EVTCHNOP_send)(lambda ctx, arg: 0)
    with pytest.raises(ValueError, match="set_timer_op: registered twice"):
        registry("set_timer_op")(lambda ctx, arg: 0)
    with pytest.raises(ValueError, match="hypercalls.def has no frobnicate"):
        registry("frobnicate")(lambda ctx, arg: 0)
    with pytest.raises(ValueError, match="no struct nonsense"):
        registry("vm_assist", arg="nonsense")(lambda ctx, arg: 0)


def test_a_mistake_of_ours_stays_an_exception(registry):
    registry("vm_assist")(lambda ctx, arg: {}["oops"])
    with pytest.raises(KeyError, match="oops"):
        call(registry, "vm_assist")


def test_a_mistake_of_ours_leaves_the_run_with_the_call_described(monkeypatch):
    from hv.testing.build import find_guest
    from hv.testing.runner import DomainUnderTest

    def broken(ctx, arg):
        return arg["oops"]

    guest = DomainUnderTest(find_guest("evtchn_loopback"))
    (entry,) = load_handlers(guest.domain.abi).known()[abi.HYPERCALL_NUMBERS["event_channel_op"]]
    monkeypatch.setitem(entry.subs, abi.EVTCHNOP_send, (broken, "evtchn_send"))
    with pytest.raises(KeyError, match="oops") as caught:
        guest.run(10**7)
    note = caught.value.__notes__[0]
    assert "while serving event_channel_op (sub-operation EVTCHNOP_send" in note and "pc 0x" in note


def test_unknown_hypercalls_are_told_once_and_the_rest_each_time():
    from hv.testing.build import find_guest
    from hv.testing.runner import DomainUnderTest

    guest = DomainUnderTest(find_guest("shutdown"))
    log, vcpu = guest.hv.refusals, guest.domain.vcpus[0].c
    for _ in range(3):
        log.note(vcpu, 55, [1] * 6, XenError("unknown_hypercall", hypercall=55))
        log.note(vcpu, 32, [4] * 6, XenError("unknown_subop", hypercall=32, subop=4))
    told = log.collect()
    assert [r.hypercall for r in told] == [55, 32, 32, 32] and log.collect() == []
    assert str(told[1]).endswith("event_channel_op(EVTCHNOP_send, 0x4) = -38: ENOSYS [unknown_subop] "
                                 "hypercall 32 has no sub-operation 4")
    assert log.counts()["unknown_hypercall"] == 3


def test_every_handler_on_disk_registers_under_a_real_sub_operation():
    for name in {kind.abi for kind in kinds().values()}:
        handlers = load_handlers(name).known()
        assert handlers
        for entry in (one for entries in handlers.values() for one in entries):
            for number in entry.subs:
                assert number in abi.SUBOPS[entry.name], (entry.name, number)


def test_an_architecture_s_handlers_come_before_everyone_s_and_are_its_own():
    everyone = Registry()
    everyone("vcpu_op")(lambda ctx, arg: 1)
    everyone("vcpu_op", sub=abi.VCPUOP_up)(lambda ctx, arg: 2)
    everyone.translated_have("vcpu_op", abi.VCPUOP_is_up)
    own, other = Registry(everyone), Registry(everyone)
    own("vcpu_op", sub=abi.VCPUOP_down)(lambda ctx, arg: 3)
    own("vcpu_op", sub=abi.VCPUOP_is_up)(lambda ctx, arg: 4)
    own("physdev_op")(lambda ctx, arg: 5)
    answers = [call(own, "vcpu_op", sub) for sub in (abi.VCPUOP_up, abi.VCPUOP_down, abi.VCPUOP_is_up, 77)]
    assert answers == [2, 3, 4, 1] and call(own, "physdev_op") == 5
    assert [call(other, "vcpu_op", sub) for sub in (abi.VCPUOP_up, abi.VCPUOP_down)] == [2, 1]
    with pytest.raises(XenError, match="unknown_hypercall"):
        call(other, "physdev_op")
    with pytest.raises(XenError, match="subop_pv_only"):
        own.find(abi.HYPERCALL_NUMBERS["vcpu_op"], abi.VCPUOP_up, translated=True)
    assert own.find(abi.HYPERCALL_NUMBERS["vcpu_op"], abi.VCPUOP_down, translated=True)[1:] == ("", 2)
