"""What a token looks like, how it comes in a request, and what of it is kept."""

import base64
import hashlib
import re

TOKEN_BYTES = 32
PREFIX = "hwi_"
"""So that a token that lies where it should not can be found by searching for it."""

_TOKEN = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")


def written(secret: bytes) -> str:
    """Write TOKEN_BYTES random bytes as a token."""
    return PREFIX + base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def fingerprint(token: str) -> bytes:
    """Give what is kept of a token. A fast hash is right for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(token.encode()).digest()


def bearer(authorization: str) -> str | None:
    """Read the token from an Authorization header (RFC 6750, 2.1); None where it holds nothing of a token's form."""
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and _TOKEN.fullmatch(token) else None
