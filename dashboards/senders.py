"""Who sends over HTTP for a gateway, and what came of it (core): a phone or cloud says nothing of itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

TOKENS_MOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token that spoke for a gateway, as the database has it; `last_at` to the minute."""

    gateway_id: str
    name: str
    organisation_name: str
    organisation_name_en: str
    last_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRow:
    """What came for a gateway; `refused` lies in quarantine now, `..._lately` by reason.

    `unread_lately` counts messages: how many readings were in them nobody can say.
    """

    gateway_id: str
    asked_at: datetime
    came_at: datetime | None
    stored: int
    refused: int
    refused_lately: dict[str, int]
    unread_lately: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One gateway's: the tokens used last, and what came."""

    row: SenderRow
    tokens: list[TokenRow]
    more_tokens: int

    @property
    def is_shut_out(self) -> bool:
        """Whether every token that ever spoke for the gateway is revoked: nothing can come."""
        return not self.more_tokens and all(token.revoked_at is not None for token in self.tokens)


def senders_of(found: Iterable[SenderRow], tokens: Iterable[TokenRow]) -> dict[str, Sender]:
    """Put rows and tokens (the newest first) together, by gateway; standing tokens come before revoked ones."""
    held: dict[str, list[TokenRow]] = {}
    for token in sorted(tokens, key=lambda token: token.revoked_at is not None):
        held.setdefault(token.gateway_id, []).append(token)
    return {
        row.gateway_id: Sender(
            row=row,
            tokens=held.get(row.gateway_id, [])[:TOKENS_MOST],
            more_tokens=max(0, len(held.get(row.gateway_id, [])) - TOKENS_MOST),
        )
        for row in found
    }
