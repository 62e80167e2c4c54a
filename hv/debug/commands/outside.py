"""Commands about what the guest has to do with the outside: its console and xenstore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import counts, limited
from hv.toolstack.connect import Console, StoreClient
from hv.xenstore.tree import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hv.debug.debugger import Debugger
    from hv.xenstore.tree import Node

_MOST = 10_000
_SHOWN = 80
"""Bytes of a value that are shown."""


def console_of(debugger: Debugger) -> Console:
    """The console of the domain here. CommandError: it has none."""
    service = debugger.domain.services.get("console")
    if not isinstance(service, Console):
        raise CommandError(f"console: domain {debugger.domain.domid} has none")
    return service


def printable(text: str) -> str:
    """Text of a guest's without what would move the terminal's cursor or change its colours."""
    return "".join(char if char.isprintable() or char in "\n\t" else "." if char != "\r" else "" for char in text)


@command("console", "[N]", "the last N lines (default 20) that the guest has printed")
def console(debugger: Debugger, args: list[str]) -> str:
    """Up to here: what was printed later is not shown when time has gone back."""
    counts(args, 0, 1, "console [N]")
    count = limited(args, 0, 20, "console", _MOST)
    text = printable(console_of(debugger).text()).rstrip("\n")
    return "\n".join(text.split("\n")[-count:]) if text else "nothing has been printed"


@command("type", "[-n] TEXT", "type on the guest's console, and Enter unless -n is given")
def type_(debugger: Debugger, args: list[str]) -> str:
    """From here on the run is another: what lay ahead is forgotten."""
    enter = args[:1] != ["-n"]
    words = args if enter else args[1:]
    counts(words, 1, _MOST, "type [-n] TEXT")
    try:  # a command line may be of any bytes
        data = " ".join(words).encode(errors="surrogateescape") + (b"\n" if enter else b"")
    except UnicodeEncodeError:
        raise CommandError("type: there is a character in it that stands for no bytes") from None
    console_of(debugger).feed(data)
    return f"{len(data)} bytes typed at instruction {debugger.timeline.position}"


@command("xenstore", "[PATH]", "xenstore below a path (default: all of it)")
def xenstore(debugger: Debugger, args: list[str]) -> str:
    """As domain 0 sees it."""
    counts(args, 0, 1, "xenstore [PATH]")
    path = args[0] if args else "/"
    service = debugger.domain.services.get("xenstore")
    if not isinstance(service, StoreClient):
        raise CommandError(f"xenstore: domain {debugger.domain.domid} is not connected with it")
    if not path.startswith("/"):
        path = f"/local/domain/{debugger.domain.domid}/{path}"
    node = find(service.save().root, path)
    if node is None:
        raise CommandError(f"xenstore: there is no node {path}")
    lines = list(_nodes(node, path.rstrip("/")))
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {len(lines) - _MOST:,} more nodes; give a PATH"]
    return "\n".join(lines)


def _nodes(node: Node, path: str) -> Iterator[str]:
    """This node and all below it, parents first; without recursion, for guests may nest deeper than Python's stack."""
    waiting = [(path, node)]
    while waiting:
        at, one = waiting.pop()
        value = one.value[:_SHOWN].decode("latin-1").encode("unicode_escape").decode()
        more = "..." if len(one.value) > _SHOWN else ""
        yield f'{at or "/"} = "{value}{more}"' if one.value else at or "/"
        waiting += [(f"{at}/{name}", child) for name, child in reversed(list(one.children.items()))]
