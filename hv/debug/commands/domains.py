"""Commands about domains: what there is, their event channels and their grants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv import abi
from hv.debug.call_names import constants
from hv.debug.commands import command
from hv.debug.commands.arguments import counts, domain
from hv.grant import Table
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.domain import Domain

_CHANNELS = {
    int(lib.ECS_UNBOUND): "unbound", int(lib.ECS_INTERDOMAIN): "interdomain", int(lib.ECS_PIRQ): "pirq",
    int(lib.ECS_VIRQ): "virq", int(lib.ECS_IPI): "ipi",
}  # fmt: skip
_HIDDEN = (int(lib.ECS_FREE), int(lib.ECS_RESERVED))
_GRANT_KINDS = {
    int(abi.GTF_permit_access): "access", int(abi.GTF_accept_transfer): "transfer",
    int(abi.GTF_transitive): "transitive",
}  # fmt: skip
_GRANT_FLAGS = (
    (int(abi.GTF_readonly), "read-only"), (int(abi.GTF_reading), "reading"), (int(abi.GTF_writing), "writing"),
    (int(abi.GTF_sub_page), "sub-page"),
)  # fmt: skip
_PINS = (("read", 0), ("write", 8), ("device read", 16), ("device write", 24))


@command("domains", "", "the domains")
def domains(debugger: Debugger, args: list[str]) -> str:
    """With their state and what they hold."""
    counts(args, 0, 0, "domains")
    lines = ["domid  name              state           vcpus     pages   ports  grant frames"]
    for found in debugger.hv.domains.values():
        c = found.c
        ended = found.shutdown_name
        state = f"ended: {ended}" if ended else "running"
        ports = sum(1 for port in range(1, c.ports) if lib.hv_evtchn(debugger.hv.native, c, port).state not in _HIDDEN)
        lines.append(
            f"{found.domid:>5}  {found.name[:16]:<16}  {state:<14}  {len(found.vcpus):>5}  {int(c.tot_pages):>8}  "
            f"{ports:>6}  {int(c.grant_frames):>12}"
        )
    return "\n".join(lines)


@command("evtchn", "[DOMID]", "a domain's event channels")
def evtchn(debugger: Debugger, args: list[str]) -> str:
    """With pending and mask bits, and where they lead."""
    counts(args, 0, 1, "evtchn [DOMID]")
    found = domain(debugger, args, "evtchn")
    native, c = debugger.hv.native, found.c
    lines = ["  port  state        vcpu  pending  masked  other end"]
    for port in range(1, int(c.ports)):
        channel = lib.hv_evtchn(native, c, port)
        if channel == ffi.NULL or channel.state in _HIDDEN:
            continue
        pending = "yes" if lib.hv_evtchn_is_pending(native, c, port) else "-"
        masked = "yes" if lib.hv_evtchn_is_masked(native, c, port) else "-"
        state = _CHANNELS.get(channel.state, "?")
        bits = f"{pending:>7}  {masked:>6}"
        lines.append(f"{port:>6}  {state:<11}  {channel.notify_vcpu:>4}  {bits}  {_other_end(channel)}".rstrip())
    return "\n".join(lines) if len(lines) > 1 else f"domain {found.domid} has no event channel"


def _other_end(channel: Any) -> str:
    state, port, domid = channel.state, int(channel.remote_port), int(channel.remote_domid)
    if state == lib.ECS_VIRQ:
        return constants("VIRQ_").get(port, f"VIRQ {port}")
    if state == lib.ECS_INTERDOMAIN:
        return f"d{domid} port {port}" if port else f"d{domid} (a back end of the host)"
    if state == lib.ECS_UNBOUND:
        return f"waits for d{domid}"
    return f"pirq {port}" if state == lib.ECS_PIRQ else ""


@command("grants", "[DOMID]", "a domain's grants, their users, and its mappings")
def grants(debugger: Debugger, args: list[str]) -> str:
    """The entries as they are in the table now, with the uses that the hypervisor counts."""
    counts(args, 0, 1, "grants [DOMID]")
    found = domain(debugger, args, "grants")
    if not found.c.grant_frames:
        return f"domain {found.domid} has no grant table yet"
    table = Table(debugger.hv.native, found.c)
    lines = [f"domain {found.domid}: version {table.version}, {table.entries} entries"]
    for ref in range(table.entries):
        entry = table.entry(ref)
        pin = int(table.active(ref).pin)
        if not entry.flags and not pin:
            continue
        flags = entry.flags | (table.status(ref) if table.version == 2 else 0)
        words = [_GRANT_KINDS.get(entry.kind, "invalid"), *(name for bit, name in _GRANT_FLAGS if flags & bit)]
        uses = ", ".join(f"{pin >> at & 0xFF} {name}" for name, at in _PINS if pin >> at & 0xFF)
        in_use = f"; in use by d{int(table.active(ref).domid)}: {uses}" if pin else ""
        lines.append(f"  ref {ref:>5}  to d{entry.domid}  frame {entry.frame:#x}  {' '.join(words)}{in_use}")
    return "\n".join(lines + _mappings(found, table))


def _mappings(found: Domain, table: Table) -> list[str]:
    lines, left = [], int(found.c.maptrack_used)
    for handle in range(int(lib.HV_MAX_MAPTRACK)):
        if not left:
            break
        track = table.maptrack(handle)
        if not track.flags:
            continue
        left -= 1
        lines.append(
            f"  handle {handle}: ref {int(track.ref)} of d{int(track.domid)}, frame {int(track.frame):#x}, "
            f"at {int(track.host_addr):#x}{' read-only' if track.flags & abi.GNTMAP_readonly else ''}"
        )
    return lines
