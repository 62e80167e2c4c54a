"""Random event_channel_op calls by two domains: after each, the tables agree with each other."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hv import abi
from hv.native import lib
from tests.hypercalls.lab import Domain, Lab

STRUCTS = {
    name.removeprefix("EVTCHNOP_"): argument for name, argument in abi.SUBOPS["event_channel_op"].values()
}  # fmt: skip


def disagreements(lab: Lab) -> list[str]:
    """What is wrong with the channels of all domains."""
    found = []
    for d in (lab.d1, lab.d2):
        bound = {(v.id, virq): port for v in d.vcpus for virq, port in enumerate(v.c.virq_port) if port}
        for port in range(d.c.ports):
            e, where = d.evtchn(port), f"{d.name} port {port}"
            if e.notify_vcpu >= len(d.vcpus):
                found.append(f"{where} notifies vcpu {e.notify_vcpu}")
            if e.state == lib.ECS_INTERDOMAIN:
                other = (lab.d1 if e.remote_domid == 1 else lab.d2).evtchn(e.remote_port)
                if (other.state, other.remote_domid, other.remote_port) != (lib.ECS_INTERDOMAIN, d.domid, port):
                    found.append(f"{where}: its other end is not connected with it")
            elif e.state == lib.ECS_VIRQ:
                if port not in (p for (_, virq), p in bound.items() if virq == e.remote_port):
                    found.append(f"{where}: no vcpu has this VIRQ there")
            elif e.state == lib.ECS_FREE and d.bit("evtchn_pending", port) and not d.c.fifo:
                found.append(f"{where} is free and pending")
            if e.state == lib.ECS_FREE and 0 < port < d.c.next_free_port:
                found.append(f"{where} is free, the search begins at {d.c.next_free_port}")
        for (vcpu, virq), port in bound.items():
            e = d.evtchn(port)
            if (e.state, e.remote_port) != (lib.ECS_VIRQ, virq):
                found.append(f"{d.name} vcpu {vcpu}: VIRQ {virq} is not at port {port}")
    return found


def arguments(rng: random.Random, d: Domain, struct: str) -> dict[str, Any]:
    """Nearly valid values for every field of a structure."""
    values = {
        "port": rng.randrange(0, 24), "remote_port": rng.randrange(0, 24), "vcpu": rng.randrange(0, 3),
        "dom": rng.choice([abi.DOMID_SELF, abi.DOMID_SELF, 1, 2, 9]), "remote_dom": rng.choice([1, 2, abi.DOMID_SELF]),
        "virq": rng.randrange(0, 25), "pirq": rng.randrange(0, 300), "priority": rng.randrange(0, 17),
        "offset": rng.choice([0, 72, 4]), "control_gfn": 1, "array_gfn": 1,
    }  # fmt: skip
    return {name: values[name] for name in abi.layout(struct).fields() if name in values}


@pytest.mark.parametrize("seed", range(4))
def test_channels_stay_consistent(seed: int) -> None:
    rng, lab = random.Random(seed), Lab()
    subs = [s for s in STRUCTS if s not in ("init_control", "expand_array")]
    succeeded = set()
    for step in range(1500):
        d = rng.choice([lab.d1, lab.d2])
        sub = "reset" if step % 400 == 399 else rng.choice([s for s in subs if s != "reset"])
        caller = rng.choice(d.vcpus)
        result, _ = lab.evtchn(caller, sub, **arguments(rng, d, STRUCTS[sub]))
        if result == 0:
            succeeded.add(sub)
        assert not (wrong := disagreements(lab)), (step, sub, wrong)
    assert succeeded >= set(subs) - {"bind_pirq", "set_priority", "reset"}
