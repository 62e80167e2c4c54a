"""The tree: immutable nodes, changed by copying the path from the root.

A root is therefore a snapshot of everything below it for the price of one reference: transactions and saved states
keep roots. Each node remembers its digest once computed, so hashing after a change costs what changed.

A node's `generation` changes with its value, its permissions and the list of its children's names, not with what
happens inside a child: equal generations mean that what a reader of this node saw is still true.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from hv.xenstore.permissions import Permissions

#: Children keep the order of their creation, as DIRECTORY shows it. Never changed in place.
Children = Mapping[str, "Node"]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One node. Compare nodes by identity or by `digest()`."""

    value: bytes
    permissions: Permissions
    generation: int
    children: Children = field(default_factory=dict)
    _digest: list[bytes] = field(default_factory=list, repr=False)

    def digest(self) -> bytes:
        """SHA-256 of everything at and below this node."""
        # A guest may nest deeper than Python's stack: no recursion.
        waiting = [self]
        while waiting:
            node = waiting[-1]
            unknown = [] if node._digest else [child for child in node.children.values() if not child._digest]
            if unknown:
                waiting += unknown
                continue
            waiting.pop()
            if not node._digest:
                node._digest.append(node._own_digest())
        return self._digest[0]

    def _own_digest(self) -> bytes:
        """The digest, when those of the children are known."""
        perms = " ".join(map(str, self.permissions))
        head = f"{self.generation} {perms} {len(self.value)} {len(self.children)}\n"
        state = hashlib.sha256(head.encode() + self.value)
        for name, child in self.children.items():
            state.update(f"{name}\n".encode() + child._digest[0])
        return state.digest()

    def changed(self, **fields: object) -> "Node":
        """A copy with other `fields`."""
        return replace(self, _digest=[], **fields)  # type: ignore[arg-type]  # names of our own fields

    def with_child(self, name: str, child: "Node") -> "Node":
        """A copy with `child` under `name`; the generation stays."""
        return self.changed(children={**self.children, name: child})

    def without_child(self, name: str) -> "Node":
        """A copy without the child `name`; the generation stays."""
        return self.changed(children={key: child for key, child in self.children.items() if key != name})


def split(path: str) -> list[str]:
    """Names on the way from the root to `path` (absolute, valid); none for the root itself."""
    return [name for name in path.split("/") if name]


def parent_of(path: str) -> str:
    """The path one level up; the root is its own parent."""
    return path.rpartition("/")[0] or "/"


def find(root: Node, path: str) -> Node | None:
    """The node at `path`, or None."""
    node: Node | None = root
    for name in split(path):
        node = node.children.get(name) if node else None
    return node


def deepest(root: Node, path: str) -> tuple[str, Node]:
    """(path, node) of the deepest node on the way to `path` that exists."""
    node, reached = root, ""
    for name in split(path):
        child = node.children.get(name)
        if child is None:
            break
        node, reached = child, f"{reached}/{name}"
    return reached or "/", node


def put(root: Node, path: str, node: Node) -> Node:
    """A root in which `node` stands at `path`, whose parent must exist. No generation changes."""
    names = split(path)
    way = [root]
    for name in names[:-1]:
        way.append(way[-1].children[name])
    for name, above in reversed(list(zip(names, way, strict=False))):
        node = above.with_child(name, node)
    return node


def take(root: Node, path: str) -> Node:
    """A root without the node at `path`, which must exist and is not the root. No generation changes."""
    above, name = parent_of(path), split(path)[-1]
    holder = find(root, above)
    assert holder is not None and name in holder.children, path
    return put(root, above, holder.without_child(name))


def below(path: str, node: Node) -> Iterator[tuple[str, Node]]:
    """(path, node) of everything below `node`, which stands at `path`; children before their parents."""
    # Again without recursion: (path, node, whether its children have been given).
    waiting = [(path, node, False)]
    while waiting:
        at, inner, done = waiting.pop()
        if done:
            yield at, inner
            continue
        if inner is not node:
            waiting.append((at, inner, True))
        stem = at.rstrip("/")
        waiting += [(f"{stem}/{name}", child, False) for name, child in reversed(list(inner.children.items()))]
