"""Permissions of a node: who owns it, who may read and write it.

A node carries a list of entries. The first names the owner, who may do everything, and says what domains may do
that no other entry names. Domain 0 may do everything everywhere. Facts: docs/misc/xenstore.txt, SET_PERMS.
"""

from enum import IntFlag
from typing import NamedTuple

from hv.xenstore.errors import StoreError

#: The domain that may do everything: the control domain.
PRIVILEGED = 0
MAX_DOMID = 0x7FEF          # DOMID_FIRST_RESERVED - 1


class Access(IntFlag):
    """What a domain may do with a node."""

    NONE = 0
    READ = 1
    WRITE = 2
    OWNER = 4


ALL = Access.READ | Access.WRITE | Access.OWNER
LETTERS = {"n": Access.NONE, "r": Access.READ, "w": Access.WRITE, "b": Access.READ | Access.WRITE}
LETTER_OF = {access: letter for letter, access in LETTERS.items()}


class Permission(NamedTuple):
    """One entry: what domain `domid` may do."""

    access: Access
    domid: int

    @classmethod
    def parse(cls, text: str) -> "Permission":
        """From its form on the wire, a letter and a domain: `r5`. StoreError EINVAL otherwise."""
        letter, digits = text[:1], text[1:]
        if letter not in LETTERS or not (digits.isascii() and digits.isdigit()) or int(digits) > MAX_DOMID:
            raise StoreError("EINVAL", f"{text!r} is no permission; expected n, r, w or b and a domid")
        return cls(LETTERS[letter], int(digits))

    def __str__(self) -> str:
        return f"{LETTER_OF[self.access]}{self.domid}"


Permissions = tuple[Permission, ...]


def allowed(permissions: Permissions, domid: int) -> Access:
    """What domain `domid` may do with a node that has these permissions."""
    owner = permissions[0]
    if domid in (PRIVILEGED, owner.domid):
        return ALL
    return next((entry.access for entry in permissions[1:] if entry.domid == domid), owner.access)


def inherited(parent: Permissions, creator: int) -> Permissions:
    """Permissions of a new node below a node with `parent`'s: the same, but a guest owns what it creates."""
    if creator == PRIVILEGED:
        return parent
    return (Permission(parent[0].access, creator), *parent[1:])
