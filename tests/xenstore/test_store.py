"""The store as its clients see it: nodes, permissions, transactions, watches' filters, state as data."""

import pickle
from collections.abc import Callable

import pytest

from hv.xenstore import tree, watches
from hv.xenstore.domain import DomainNodes, remove_nodes, write_nodes
from hv.xenstore.errors import StoreError
from hv.xenstore.paths import absolute, covers
from hv.xenstore.permissions import Access, Permission, allowed
from hv.xenstore.store import MAX_TRANSACTIONS, Store

HOME = "/local/domain/1"


@pytest.fixture
def store() -> Store:
    made = Store()
    for domid in (0, 1, 2):
        made.connect(domid)
    for domid in (1, 2):
        made.mkdir(0, f"/local/domain/{domid}")
        made.set_permissions(0, f"/local/domain/{domid}", (Permission.parse(f"n{domid}"),))
    return made


def refused(name: str, call: Callable[..., object], *args: object) -> None:
    with pytest.raises(StoreError) as info:
        call(*args)
    assert info.value.name == name, info.value


def test_write_makes_parents_and_relative_is_home(store: Store) -> None:
    store.write(1, "a/b/c", b"\0\xff")
    assert store.read(1, f"{HOME}/a/b/c") == b"\0\xff"
    assert store.read(1, "a/b") == b""
    assert store.directory(1, "a") == ("b",)
    store.write(1, "a/b/c", b"2")
    store.mkdir(1, "a/b/c")                              # exists: nothing happens
    assert store.read(1, "a/b/c") == b"2"


def test_directory_keeps_creation_order(store: Store) -> None:
    for name in ("z", "a", "m"):
        store.write(1, f"d/{name}", b"")
    assert store.directory(1, "d") == ("z", "a", "m")


@pytest.mark.parametrize("path", ["", "/a/", "//", "a//b", "a b", "/\x80", "/é", "a" * 2049, "/" + "a" * 3072,
                                  "@introduceDomain", "a\n"])
def test_wild_paths_are_einval(store: Store, path: str) -> None:
    for call in (store.read, store.mkdir, store.directory, store.remove):
        refused("EINVAL", call, 1, path)


def test_longest_path(store: Store) -> None:
    deep = HOME + "/a" * ((3072 - len(HOME)) // 2)
    store.write(1, deep, b"x")
    assert store.read(1, deep) == b"x"
    before = store.state.digest()
    store.write(1, deep, b"y")
    assert store.state.digest() != before
    pickle.dumps(store.state.digest())
    store.remove(1, "a")
    refused("ENOENT", store.read, 1, deep)


def test_remove(store: Store) -> None:
    store.write(1, "a/b/c", b"1")
    store.remove(1, "a")
    refused("ENOENT", store.read, 1, "a/b/c")
    store.remove(1, "a")                                 # the parent exists: no error
    refused("ENOENT", store.remove, 1, "x/y/z")
    refused("EINVAL", store.remove, 0, "/")


def test_a_guest_sees_its_own_only(store: Store) -> None:
    store.write(2, "secret", b"s")
    for call in (store.read, store.directory, store.permissions, store.remove):
        refused("EACCES", call, 1, "/local/domain/2/secret")
    refused("EACCES", store.read, 1, "/local/domain/2/no-such-node")      # nor whether a node exists
    refused("EACCES", store.write, 1, "/tool/x", b"")
    refused("EACCES", store.directory, 1, "/")
    assert store.read(0, "/local/domain/2/secret") == b"s"


def test_permission_entries(store: Store) -> None:
    store.write(2, "shared", b"s")
    store.set_permissions(2, "shared", (Permission.parse("n2"), Permission.parse("r1")))
    assert store.read(1, "/local/domain/2/shared") == b"s"
    refused("EACCES", store.write, 1, "/local/domain/2/shared", b"")
    refused("EACCES", store.set_permissions, 1, "/local/domain/2/shared", (Permission.parse("b1"),))
    refused("EPERM", store.set_permissions, 2, "shared", (Permission.parse("b1"),))
    store.set_permissions(2, "shared", (Permission.parse("n2"), Permission.parse("b1")))
    store.write(1, "/local/domain/2/shared/mine", b"m")
    assert store.permissions(0, "/local/domain/2/shared/mine") == (
        Permission(Access.NONE, 1), Permission(Access.READ | Access.WRITE, 1))
    assert allowed((Permission.parse("r3"),), 9) == Access.READ
    for text in ("", "r", "x1", "r-1", "r1x", "r99999", "r²"):
        refused("EINVAL", Permission.parse, text)


def test_value_limit_is_for_guests(store: Store) -> None:
    store.write(1, "v", bytes(2048))
    refused("ENOSPC", store.write, 1, "v", bytes(2049))
    store.write(0, "/v", bytes(4000))


def test_transaction_is_alone_until_it_commits(store: Store) -> None:
    store.write(1, "n", b"old")
    tx = store.start_transaction(1)
    store.write(1, "n", b"new", tx)
    store.write(1, "deep/er", b"x", tx)
    assert store.read(1, "n") == b"old" and store.read(1, "n", tx) == b"new"
    refused("ENOENT", store.read, 1, "deep/er")
    store.end_transaction(1, tx, commit=True)
    assert store.read(1, "n") == b"new" and store.read(1, "deep/er") == b"x"
    refused("ENOENT", store.end_transaction, 1, tx, True)


def test_given_up_transaction_leaves_no_trace(store: Store) -> None:
    root = store.state.root
    tx = store.start_transaction(1)
    store.write(1, "n", b"new", tx)
    store.end_transaction(1, tx, commit=False)
    assert store.state.root is root


CONFLICTS: dict[str, tuple[Callable[[Store, int], object], Callable[[Store], object], bool]] = {
    "read, then changed": (lambda s, tx: s.read(1, "a/x", tx), lambda s: s.write(1, "a/x", b"2"), True),
    "read, other changed": (lambda s, tx: s.read(1, "a/x", tx), lambda s: s.write(1, "a/y", b"2"), False),
    "read, deeper changed": (lambda s, tx: s.directory(1, "a", tx), lambda s: s.write(1, "a/x", b"2"), False),
    "listed, child made": (lambda s, tx: s.directory(1, "a", tx), lambda s: s.mkdir(1, "a/new"), True),
    "written, then changed": (lambda s, tx: s.write(1, "a/x", b"1", tx), lambda s: s.write(1, "a/x", b"2"), True),
    "made beside each other": (lambda s, tx: s.mkdir(1, "a/p", tx), lambda s: s.mkdir(1, "a/q"), True),
    "made far from each other": (lambda s, tx: s.mkdir(1, "a/p", tx), lambda s: s.mkdir(1, "b/q"), False),
    "removed, child made": (lambda s, tx: s.remove(1, "a", tx), lambda s: s.mkdir(1, "a/x/new"), True),
    "absent, then made": (lambda s, tx: s.remove(1, "a/no", tx), lambda s: s.mkdir(1, "a/no"), True),
    "permissions changed": (lambda s, tx: s.read(1, "a/x", tx),
                            lambda s: s.set_permissions(1, "a/x", (Permission.parse("r1"),)), True),
    "same value written": (lambda s, tx: s.read(1, "a/x", tx), lambda s: s.write(1, "a/x", b""), True),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_conflicts(store: Store, name: str) -> None:
    inside, outside, conflicting = CONFLICTS[name]
    for path in ("a/x", "a/y", "b"):
        store.mkdir(1, path)
    tx = store.start_transaction(1)
    inside(store, tx)
    store.write(1, "mark", b"m", tx)
    store.write(1, "mark", b"m2", tx)
    outside(store)
    after = store.state.root
    if conflicting:
        refused("EAGAIN", store.end_transaction, 1, tx, True)
        assert store.state.root is after
    else:
        store.end_transaction(1, tx, commit=True)
        assert store.read(1, "mark") == b"m2"


def test_merge_keeps_what_others_did_deeper(store: Store) -> None:
    store.write(1, "a/x/deep", b"0")
    store.write(1, "b/gone", b"0")
    tx = store.start_transaction(1)
    store.write(1, "a/new", b"n", tx)                    # changes the list of a's children
    store.remove(1, "b/gone", tx)
    store.write(1, "b/gone/again", b"g", tx)
    store.write(1, "a/x/deep", b"1")                     # meanwhile, deeper
    store.end_transaction(1, tx, commit=True)
    assert (store.read(1, "a/new"), store.read(1, "a/x/deep")) == (b"n", b"1")
    assert store.directory(1, "b/gone") == ("again",) and store.read(1, "b/gone") == b""


def test_limits_of_transactions(store: Store) -> None:
    for _ in range(MAX_TRANSACTIONS):
        store.start_transaction(1)
    refused("ENOSPC", store.start_transaction, 1)
    assert store.start_transaction(2) == 1               # numbers belong to a client


def events(store: Store, domid: int) -> list[bytes]:
    queued = [message[16:] for message in store.connection(domid).outgoing]
    store.update(domid, outgoing=())
    return queued


def test_watch_sees_below_and_answers_as_it_was_asked(store: Store) -> None:
    watches.add(store, 1, "dev", b"t1")
    watches.add(store, 1, f"{HOME}/dev/x", b"t2")
    store.write(1, "dev/x/y", b"")
    assert events(store, 1) == [b"dev/x/y\0t1\0", HOME.encode() + b"/dev/x/y\0t2\0"]
    store.write(1, "device", b"")                        # a name that only begins alike
    assert events(store, 1) == []


def test_removal_tells_the_watches_of_each_node(store: Store) -> None:
    store.write(1, "a/b/c", b"")
    for path in ("a", "a/b/c"):
        watches.add(store, 1, path, b"")
    store.remove(1, "a")
    assert events(store, 1) == [b"a/b/c\0\0", b"a\0\0"]


def test_transaction_tells_watches_when_it_commits(store: Store) -> None:
    watches.add(store, 1, "a", b"")
    tx = store.start_transaction(1)
    store.write(1, "a/1", b"", tx)
    store.write(1, "a/1", b"", tx)
    assert events(store, 1) == []
    store.end_transaction(1, tx, commit=True)
    assert events(store, 1) == [b"a/1\0\0"]              # what waits already is not queued twice


def test_watches_need_the_right_to_read(store: Store) -> None:
    watches.add(store, 1, "/local/domain/2", b"")
    watches.add(store, 1, "@releaseDomain", b"")
    store.write(2, "secret", b"")
    watches.fire(store, "@releaseDomain")
    assert events(store, 1) == []
    store.set_permissions(2, "secret", (Permission.parse("n2"), Permission.parse("r1")))
    store.set_permissions(2, "secret", (Permission.parse("n2"),))          # could read it before
    assert events(store, 1) == [b"/local/domain/2/secret\0\0"]


def test_covers() -> None:
    assert covers("/", "/a") and covers("/a", "/a/b") and covers("/a", "/a")
    assert not covers("/a", "/ab") and not covers("/a/b", "/a") and not covers("/", "@releaseDomain")
    assert absolute("x", 7) == "/local/domain/7/x"


def test_state_is_data(store: Store) -> None:
    store.write(1, "n", b"1")
    watches.add(store, 1, "n", b"tok")
    tx = store.start_transaction(1)
    saved, digest = store.state, store.state.digest()
    store.write(1, "n", b"2", tx)
    store.end_transaction(1, tx, commit=True)
    assert store.state.digest() != digest
    store.state = saved
    assert store.state.digest() == digest and store.read(1, "n", tx) == b"1"
    restored = pickle.loads(pickle.dumps(saved))
    assert restored.digest() == digest


def test_digest_sees_every_part(store: Store) -> None:
    def changes() -> list[Callable[[Store], object]]:
        return [
            lambda s: s.write(1, "n", b"3"),
            lambda s: s.set_permissions(1, "n", (Permission.parse("r1"),)),
            lambda s: watches.add(s, 1, "n", b"other"),
            lambda s: s.start_transaction(1),
            lambda s: s.update(1, received=b"x"),
            lambda s: s.update(1, outgoing=(b"x",)),
            lambda s: s.update(1, error=2),
            lambda s: s.update(1, sent=1),
            lambda s: s.read(1, "n", 1),
            lambda s: s.connect(9),
        ]
    store.write(1, "n", b"1")
    store.start_transaction(1)
    base = store.state
    seen = {base.digest()}
    for change in changes():
        store.state = base
        change(store)
        seen.add(store.state.digest())
    assert len(seen) == len(changes()) + 1


def test_a_change_costs_its_path_only(store: Store) -> None:
    for i in range(50):
        store.write(1, f"big/{i}", b"")
    other = tree.find(store.state.root, "/local/domain/2")
    store.write(1, "big/7", b"x")
    assert tree.find(store.state.root, "/local/domain/2") is other


def test_domain_nodes(store: Store) -> None:
    nodes = DomainNodes(1, "guest", "u-u-i-d", 2, 65536, 131072, 10, 1, 11, 2)
    write_nodes(store, nodes)
    assert store.read(1, "console/port") == b"2" and store.read(1, "cpu/1/availability") == b"online"
    assert store.read(1, "/vm/u-u-i-d/name") == b"guest"
    refused("EACCES", store.write, 1, "memory/target", b"9")
    store.write(1, "control/shutdown", b"")
    store.write(1, "data/mine", b"1")
    refused("EACCES", store.read, 2, f"{HOME}/name")
    write_nodes(store, nodes)
    refused("ENOENT", store.read, 1, "data/mine")
    remove_nodes(store, 1)
    remove_nodes(store, 1)
    assert store.directory(0, "/vm") == ()
