"""The store: reading and changing nodes as one client or another, alone or in a transaction.

All of its state is `Store.state`, immutable data (see state.py). A method names the client by its domain id; domain 0
is the control domain and may do everything.
"""

from dataclasses import replace

from hv.xenstore import tree, watches
from hv.xenstore.errors import StoreError
from hv.xenstore.paths import absolute
from hv.xenstore.permissions import PRIVILEGED, Access, Permissions, allowed, inherited
from hv.xenstore.state import Change, Connection, StoreState, Transaction, empty
from hv.xenstore.tree import Node, parent_of

#: Xen's default limits for a guest (xenstored's quotas); node quotas are not kept yet.
MAX_TRANSACTIONS = 10
MAX_VALUE = 2048


class Store:
    """The tree and its clients."""

    def __init__(self, state: StoreState | None = None) -> None:
        self.state = state if state is not None else empty()

    # ---- clients ----

    def connect(self, domid: int) -> None:
        """Make domain `domid` a client. StoreError EEXIST."""
        if domid in self.state.connections:
            raise StoreError("EEXIST", f"domain {domid} is connected")
        self.state = self.state.with_connection(Connection(domid))

    def disconnect(self, domid: int) -> None:
        """Forget the client: its watches and transactions with it; its nodes stay."""
        self.state = self.state.without_connection(domid)

    def connection(self, domid: int) -> Connection:
        """The client's state. StoreError ENOTCONN."""
        try:
            return self.state.connections[domid]
        except KeyError:
            raise StoreError("ENOTCONN", f"domain {domid} is not connected") from None

    def update(self, domid: int, **fields: object) -> None:
        """Change fields of a client's state."""
        self.state = self.state.with_connection(
            replace(self.connection(domid), **fields))  # type: ignore[arg-type]  # names of our own fields

    # ---- nodes ----

    def node(self, domid: int, path: str, need: Access, tx: int = 0) -> Node:
        """The node at absolute `path`, if the client may do `need`.

        StoreError ENOENT if there is none, EACCES if it may not, or may not even know that there is none.
        """
        root = self.root(domid, tx)
        self.note_access(domid, tx, path)
        node = tree.find(root, path)
        if node is not None:
            if need & ~allowed(node.permissions, domid):
                raise StoreError("EACCES", f"domain {domid} lacks {need!r} on {path}")
            return node
        if need & ~allowed(tree.deepest(root, path)[1].permissions, domid):
            raise StoreError("EACCES", f"domain {domid} lacks {need!r} above {path}")
        raise StoreError("ENOENT", f"no node {path}")

    def read(self, domid: int, path: str, tx: int = 0) -> bytes:
        """The value of a node."""
        return self.node(domid, absolute(path, domid), Access.READ, tx).value

    def directory(self, domid: int, path: str, tx: int = 0) -> tuple[str, ...]:
        """Names of the children of a node, oldest first."""
        return tuple(self.node(domid, absolute(path, domid), Access.READ, tx).children)

    def permissions(self, domid: int, path: str, tx: int = 0) -> Permissions:
        """The permissions of a node."""
        return self.node(domid, absolute(path, domid), Access.READ, tx).permissions

    def write(self, domid: int, path: str, value: bytes, tx: int = 0) -> None:
        """Set a node's value; the node and those above it are made where there are none."""
        path = absolute(path, domid)
        if domid != PRIVILEGED and len(value) > MAX_VALUE:
            raise StoreError("ENOSPC", f"a value may have {MAX_VALUE} bytes, not {len(value)}")
        try:
            node = self.node(domid, path, Access.WRITE, tx)
        except StoreError as error:
            if error.name != "ENOENT":
                raise
            self.create(domid, path, value, tx)
        else:
            changed = node.changed(value=value, generation=self.next_generation())
            self.replace_root(domid, tx, tree.put(self.root(domid, tx), path, changed))
        self.fire(domid, tx, (Change(path, exact=False), None))

    def mkdir(self, domid: int, path: str, tx: int = 0) -> None:
        """Make a node, and those above it, unless it exists."""
        path = absolute(path, domid)
        try:
            self.node(domid, path, Access.WRITE, tx)
        except StoreError as error:
            if error.name != "ENOENT":
                raise
            self.create(domid, path, b"", tx)
            self.fire(domid, tx, (Change(path, exact=False), None))

    def remove(self, domid: int, path: str, tx: int = 0) -> None:
        """Remove a node and everything below it. Not the root: EINVAL. No error if only the node is missing."""
        path = absolute(path, domid)
        if path == "/":
            raise StoreError("EINVAL", "the root cannot be removed")
        above = parent_of(path)
        try:
            node = self.node(domid, path, Access.WRITE, tx)
        except StoreError as error:
            if error.name == "ENOENT" and tree.find(self.root(domid, tx), above) is not None:
                self.note_access(domid, tx, above)
                return
            raise
        before = self.root(domid, tx)
        gone = list(tree.below(path, node))
        self.note_access(domid, tx, above, *(inner for inner, _ in gone))
        root = tree.take(before, path)
        holder = tree.find(root, above)
        assert holder is not None
        self.replace_root(domid, tx, tree.put(root, above, holder.changed(generation=self.next_generation())))
        self.fire(domid, tx, *((Change(inner, exact=True), old.permissions) for inner, old in gone),
                  (Change(path, exact=False), node.permissions))

    def remove_if_there(self, path: str) -> None:
        """Remove a node as domain 0; nothing happens if it is not there."""
        if tree.find(self.state.root, path) is not None:
            self.remove(PRIVILEGED, path)

    def set_permissions(self, domid: int, path: str, permissions: Permissions, tx: int = 0) -> None:
        """Set a node's permissions. Only its owner and domain 0 may; only domain 0 may give it away (EPERM)."""
        path = absolute(path, domid)
        node = self.node(domid, path, Access.WRITE | Access.OWNER, tx)
        if domid != PRIVILEGED and permissions[0].domid != node.permissions[0].domid:
            raise StoreError("EPERM", f"domain {domid} may not give {path} to domain {permissions[0].domid}")
        changed = node.changed(permissions=permissions, generation=self.next_generation())
        self.replace_root(domid, tx, tree.put(self.root(domid, tx), path, changed))
        self.fire(domid, tx, (Change(path, exact=False), node.permissions))

    # ---- transactions ----

    def start_transaction(self, domid: int) -> int:
        """Begin a transaction; its number. StoreError ENOSPC when the client has too many."""
        connection = self.connection(domid)
        if domid != PRIVILEGED and len(connection.transactions) >= MAX_TRANSACTIONS:
            raise StoreError("ENOSPC", f"a domain may have {MAX_TRANSACTIONS} transactions")
        number = connection.next_transaction
        while number in connection.transactions:
            number = number % 0xFFFFFFFF + 1
        fresh = {**connection.transactions, number: Transaction(self.state.root, self.state.root)}
        self.update(domid, transactions=fresh, next_transaction=number % 0xFFFFFFFF + 1)
        return number

    def end_transaction(self, domid: int, tx: int, commit: bool) -> None:
        """End a transaction. StoreError EAGAIN: it relied on what has changed since; nothing was done."""
        done = self.transaction(domid, tx)
        rest = {key: t for key, t in self.connection(domid).transactions.items() if key != tx}
        self.update(domid, transactions=rest)
        if not commit:
            return
        before = self.state.root
        for path in done.accessed:
            if generation(done.base, path) != generation(before, path):
                raise StoreError("EAGAIN", "a node that the transaction relied on has changed")
        self.state = replace(self.state, root=merge(before, done))
        for change in done.changes:
            old = tree.find(before, change.path)
            watches.fire(self, change.path, change.exact, old.permissions if old else None)

    def transaction(self, domid: int, tx: int) -> Transaction:
        """A client's transaction by number. StoreError ENOENT."""
        try:
            return self.connection(domid).transactions[tx]
        except KeyError:
            raise StoreError("ENOENT", f"domain {domid} has no transaction {tx}") from None

    # ---- the machinery below ----

    def root(self, domid: int, tx: int) -> Node:
        """The root as the client sees it, in a transaction or outside (0)."""
        return self.transaction(domid, tx).root if tx else self.state.root

    def replace_root(self, domid: int, tx: int, root: Node) -> None:
        """Make `root` the tree that the client sees."""
        if tx:
            self.update_transaction(domid, tx, replace(self.transaction(domid, tx), root=root))
        else:
            self.state = replace(self.state, root=root)

    def update_transaction(self, domid: int, tx: int, transaction: Transaction) -> None:
        """Store the new state of a transaction."""
        known = self.connection(domid).transactions
        self.update(domid, transactions={**known, tx: transaction})

    def note_access(self, domid: int, tx: int, *paths: str) -> None:
        """Remember that the transaction relies on the nodes at `paths` as they are."""
        if tx:
            transaction = self.transaction(domid, tx)
            self.update_transaction(domid, tx, replace(transaction, accessed=transaction.accessed.union(paths)))

    def fire(self, domid: int, tx: int, *changes: tuple[Change, Permissions | None]) -> None:
        """Tell the watches of changes, each with the permissions before it: now, or when the transaction commits."""
        if tx:
            transaction = self.transaction(domid, tx)
            known = (*transaction.changes, *(change for change, _ in changes))
            self.update_transaction(domid, tx, replace(transaction, changes=known))
        else:
            for change, old in changes:
                watches.fire(self, change.path, change.exact, old)

    def next_generation(self) -> int:
        """A number that no node has had."""
        self.state = replace(self.state, generation=self.state.generation + 1)
        return self.state.generation

    def create(self, domid: int, path: str, value: bytes, tx: int) -> None:
        """Make the node at `path`, which does not exist, and what is missing above it."""
        root = self.root(domid, tx)
        above, holder = tree.deepest(root, path)
        names = tree.split(path)[len(tree.split(above)):]
        # What a domain creates inherits permissions; inheriting twice changes nothing more.
        permissions = inherited(holder.permissions, domid)
        node = Node(value, permissions, self.next_generation())
        new = [path]
        for name in reversed(names[1:]):
            node = Node(b"", permissions, self.next_generation(), {name: node})
            new.append(parent_of(new[-1]))
        holder = holder.with_child(names[0], node).changed(generation=self.next_generation())
        self.note_access(domid, tx, above, *new)
        self.replace_root(domid, tx, tree.put(root, above, holder))


def generation(root: Node, path: str) -> int | None:
    """The generation of the node at `path`, None if there is none."""
    node = tree.find(root, path)
    return node.generation if node is not None else None


def merge(main: Node, done: Transaction) -> Node:
    """The main tree with a transaction's changes, which nothing in it contradicts.

    Where the transaction changed a node, that node's value, permissions and list of children are taken over; a
    child that both know stays the main tree's, because others may have changed something deeper below it.
    """
    if main is done.base:
        return done.root
    for path in sorted(done.accessed, key=lambda path: (path.count("/"), path)):
        ours = tree.find(done.root, path)
        if ours is None or ours is tree.find(done.base, path) or generation(done.base, path) == ours.generation:
            continue
        theirs = tree.find(main, path)
        known = theirs.children if theirs is not None else {}
        children = {name: known.get(name, child) for name, child in ours.children.items()}
        main = tree.put(main, path, ours.changed(children=children))
    return main
