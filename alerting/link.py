"""The token of a link in a notice: signed, expiring, and short enough for a short message (core).

A token names its notice and when it expires, and carries a MAC (HMAC-SHA256, RFC 2104, 120 of its bits) over both and
over what the notice is bound to: the person, what it is about, and the instant of writing. Nothing of it is stored.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alerting.profile.profile import Priority

SECRET_CHARACTERS_MIN = 16
TEST_LASTS = timedelta(hours=24)
"""How long a test of paging may be answered."""

PATH = "/a/"
TEST_PATH = "/page-tests"
_ID_BYTES, _EXPIRY_BYTES, _MAC_BYTES = 5, 4, 15
_FORM = re.compile(r"[A-Za-z0-9_-]{32}")


class WeakSecret(ValueError):
    """A secret is too short to sign with."""


class BadToken(ValueError):
    """Not a token that was made here: cut off, mistyped, forged, or signed by a secret that holds no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a token is good for: one notice to one person; `about` is 'episode:7' or 'test:7'."""

    notice_id: int
    person_id: int
    about: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token taken apart; what it says is believed only after `is_signed`."""

    notice_id: int
    expires_at: datetime
    mac: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """With what links are signed (the first key; all are accepted), and how long they hold. No key: no links."""

    keys: tuple[bytes, ...] = ()
    high: timedelta = timedelta(minutes=30)
    medium: timedelta = timedelta(hours=2)
    low: timedelta = timedelta(hours=48)

    def lasts(self, priority: str | None) -> timedelta:
        """Give how long a link of this priority holds; None: a test's."""
        if priority is None:
            return TEST_LASTS
        return {Priority.HIGH: self.high, Priority.MEDIUM: self.medium, Priority.LOW: self.low}[Priority(priority)]


def bound_of(notice: Any) -> Bound:
    """Say what the link of a notice to a person is bound to; `notice` is a row of `claim_notices` or of `linked`."""
    about = f"test:{notice.page_test_id}" if notice.page_test_id is not None else f"episode:{notice.episode_id}"
    return Bound(notice_id=notice.notice_id, person_id=notice.person_id, about=about, created_at=notice.created_at)


def body_to_send(notice: Any, linking: Linking, now: datetime) -> str:
    """Give a notice's text with its link in it, where it has one: to a person, about an alarm that can be answered."""
    if not linking.keys or notice.person_id is None or not notice.is_answerable:
        return str(notice.body)
    path = TEST_PATH if notice.page_test_id is not None else f"/episodes/{notice.episode_id}"
    token = sign(linking.keys[0], bound_of(notice), now + linking.lasts(notice.priority))
    return with_link(notice.body, path, token)


def keys_of(*secrets: str) -> tuple[bytes, ...]:
    """Make keys of the secrets that are set, the present one first. Raises WeakSecret."""
    for secret in secrets:
        if secret and len(secret) < SECRET_CHARACTERS_MIN:
            raise WeakSecret(
                f"a secret for links has at least {SECRET_CHARACTERS_MIN} characters; this one has {len(secret)}:"
                ' python3 -c "import secrets; print(secrets.token_urlsafe(32))" draws one'
            )
    return tuple(hashlib.sha256(b"notice link\0" + secret.encode()).digest() for secret in secrets if secret)


def sign(key: bytes, bound: Bound, expires_at: datetime) -> str:
    """Make a token of 32 characters that an address can hold as they are."""
    said = _said(bound.notice_id, expires_at)
    return base64.urlsafe_b64encode(said + _mac(key, bound, said)).decode()


def taken_apart(token: str) -> Token:
    """Read a token. Raises BadToken."""
    if not _FORM.fullmatch(token):
        raise BadToken(f"no token: {len(token)} characters")
    try:
        whole = base64.urlsafe_b64decode(token)
    except binascii.Error as exc:
        raise BadToken("no token") from exc
    seconds = int.from_bytes(whole[_ID_BYTES : _ID_BYTES + _EXPIRY_BYTES])
    return Token(
        notice_id=int.from_bytes(whole[:_ID_BYTES]),
        expires_at=datetime.fromtimestamp(seconds, UTC),
        mac=whole[-_MAC_BYTES:],
    )


def is_signed(keys: Sequence[bytes], token: Token, bound: Bound) -> bool:
    """Say whether one of the keys signed this token for this notice."""
    said = _said(token.notice_id, token.expires_at)
    return any(hmac.compare_digest(_mac(key, bound, said), token.mac) for key in keys)


def with_link(body: str, path: str, token: str) -> str:
    """Put the link in place of the last line's, where that leads to `path`; anything else stays as it is."""
    head, line_break, last = body.rpartition("\n")
    if not last.endswith(path):
        return body
    return f"{head}{line_break}{last.removesuffix(path)}{PATH}{token}"


def _said(notice_id: int, expires_at: datetime) -> bytes:
    return notice_id.to_bytes(_ID_BYTES) + int(expires_at.timestamp()).to_bytes(_EXPIRY_BYTES)


def _mac(key: bytes, bound: Bound, said: bytes) -> bytes:
    written_us = round(bound.created_at.timestamp() * 1_000_000)
    whole = said + f"\0{bound.notice_id}\0{bound.person_id}\0{bound.about}\0{written_us}".encode()
    return hmac.new(key, whole, hashlib.sha256).digest()[:_MAC_BYTES]
