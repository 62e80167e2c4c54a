"""What was written: a value that remembers, shares and digests."""

import random

import pytest

from hv.disk import overlay as module
from hv.disk.overlay import BLOCK, Overlay, from_blocks


def block(number: int) -> bytes:
    return number.to_bytes(8, "little") * (BLOCK // 8)


def test_against_a_dict() -> None:
    rng, model, overlay = random.Random(2), dict[int, bytes](), Overlay(1 << 20)
    for turn in range(400):
        first = rng.choice((rng.randrange(300), rng.randrange((1 << 20) - 200)))
        blocks = [block(turn * 1000 + i) for i in range(rng.randrange(1, 150))]
        overlay = overlay.put(first, blocks)
        model.update(zip(range(first, first + len(blocks)), blocks, strict=True))
    assert overlay.count == len(model)
    assert dict(overlay.blocks()) == model and [n for n, _ in overlay.blocks()] == sorted(model)
    assert all(overlay.get(n) == model.get(n) for n in [*model, *range(0, 1 << 20, 997)])


def test_earlier_ones_stay_as_they_were() -> None:
    before = Overlay(100).put(5, [block(1)])
    after = before.put(5, [block(2), block(3)])
    assert (before.get(5), before.get(6), before.count) == (block(1), None, 1)
    assert (after.get(5), after.get(6), after.count) == (block(2), block(3), 2)


def test_digest_tells_contents_and_nothing_else() -> None:
    one = Overlay(1 << 30).put(1, [block(1)]).put(1 << 29, [block(2)])
    other = Overlay(1 << 30).put(1 << 29, [block(9)]).put(1 << 29, [block(2)]).put(1, [block(1)])
    assert one.digest() == other.digest() == from_blocks(1 << 30, one.blocks()).digest()
    changed = [one.put(2, [block(1)]), one.put(1, [block(2)]), one.put(1, [bytes(BLOCK)]), Overlay(1 << 30)]
    assert len({one.digest(), *(overlay.digest() for overlay in changed)}) == 5


def test_digest_is_incremental(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one more write only that block and its way up are digested."""
    import hashlib

    overlay = Overlay(1 << 18).put(0, [block(n) for n in range(5000)])
    overlay.digest()
    seen: list[int] = []
    real = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda data: (seen.append(len(data)), real(data))[1])
    overlay.put(77, [block(99999)]).digest()
    assert seen.count(BLOCK) == 1 and len(seen) == 1 + 3


def test_snapshots_share() -> None:
    overlay = Overlay(1 << 12).put(0, [block(n) for n in range(4096)])
    after = overlay.put(0, [block(1)])
    same = sum(a is b for a, b in zip(overlay._root.below, after._root.below, strict=True))
    assert same == 63


def test_zeros_are_kept_once() -> None:
    overlay = Overlay(1 << 12).put(0, [bytes(BLOCK) for _ in range(4096)])
    assert {id(data) for _, data in overlay.blocks()} == {id(module._ZEROS)}


@pytest.mark.parametrize("capacity", [1, 2, 63, 64, 65, 4096, 4097])
def test_capacities(capacity: int) -> None:
    overlay = Overlay(capacity).put(capacity - 1, [block(1)])
    assert overlay.get(capacity - 1) == block(1) and list(overlay.blocks()) == [(capacity - 1, block(1))]
    with pytest.raises(IndexError):
        overlay.put(capacity - 1, [block(1), block(2)])
    with pytest.raises(ValueError, match="has 3 bytes"):
        from_blocks(capacity, [(0, b"abc")])
