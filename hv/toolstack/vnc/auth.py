"""VNC authentication: the client encrypts a challenge with the password.

Single DES with a key of eight characters at most keeps curious neighbours out, not a listener on the wire: the server
is for loopback, or for a tunnel. DES comes from `cryptography`, as triple DES with three equal keys.
"""

from __future__ import annotations

import hmac
import secrets

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

CHALLENGE_BYTES = 16
KEY_BYTES = 8
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Nothing that looks like something else."""


def new_password() -> str:
    """A random password of as many characters as count."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(KEY_BYTES))


def password_key(password: str) -> bytes:
    """The key of a password. ValueError: it has no characters, more than count, or others than Latin-1's."""
    try:
        raw = password.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("a VNC password has Latin-1 characters only") from None
    if not 1 <= len(raw) <= KEY_BYTES:
        raise ValueError(f"a VNC password has 1 to {KEY_BYTES} characters, not {len(raw)}")
    # RFB 7.2.2 as everybody has always done it: the bits of each byte are mirrored
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in raw.ljust(KEY_BYTES, b"\0"))


def new_challenge() -> bytes:
    """What a client has to encrypt."""
    return secrets.token_bytes(CHALLENGE_BYTES)


def response(key: bytes, challenge: bytes) -> bytes:
    """The right answer to a challenge."""
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
    return encryptor.update(challenge) + encryptor.finalize()


def is_right(key: bytes, challenge: bytes, answer: bytes) -> bool:
    """Whether a client's answer is right; takes as long for a wrong one."""
    return hmac.compare_digest(response(key, challenge), answer)
