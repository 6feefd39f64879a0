"""The link of a wall display: its organisation's key, signed, so that a screen needs no one to sign in (core)."""

import hashlib
import hmac
from urllib.parse import quote, urlencode


def wall_token(secret: bytes, organisation_key: str) -> str:
    """Sign an organisation's key."""
    return hmac.new(secret, b"wall\0" + organisation_key.encode(), hashlib.sha256).hexdigest()


def is_wall_token(secret: bytes, organisation_key: str, token: str) -> bool:
    """Say whether a link was made with this secret."""
    return hmac.compare_digest(wall_token(secret, organisation_key).encode(), token.encode())


def wall_path(secret: bytes, organisation_key: str) -> str:
    """Give the path of a display, to be put behind the console's address."""
    query = urlencode({"token": wall_token(secret, organisation_key)})
    return f"/wall/{quote(organisation_key, safe='')}?{query}"
