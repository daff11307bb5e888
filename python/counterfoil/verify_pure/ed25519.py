"""Ed25519 (RFC 8032), strictly: small-order points and non-canonical encodings are refused."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_P = 2**255 - 19
# The y coordinates of the eight points whose order divides 8; RFC 8032's curve, section 5.1.
_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y, _P - _Y})


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a 64-byte signature by a 32-byte public key holds; OpenSSL refuses an S of the group's order or more."""
    if len(key) != 32 or len(signature) != 64 or not (_sound(key) and _sound(signature[:32])):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _sound(point: bytes) -> bool:
    y = int.from_bytes(point, "little") & (2**255 - 1)
    return y < _P and y not in _SMALL_ORDER
