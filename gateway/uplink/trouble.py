"""What keeps us from the broker, and when the log is to say so: when it changes, and then rarely."""

from dataclasses import dataclass, replace

AGAIN_S = 3600.0
"""The same trouble is said again after so long, machine seconds: a home may be without a network for weeks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why the last attempt failed, how many did since there was a broker, and when the log last said so."""

    why: str | None = None
    failed: int = 0
    said_s: float = float("-inf")


def after_failure(before: Trouble, why: str, now_s: float) -> tuple[Trouble, bool]:
    """Take in one more failure, and answer whether to say it."""
    is_news = why != before.why or now_s - before.said_s >= AGAIN_S
    return replace(before, why=why, failed=before.failed + 1, said_s=now_s if is_news else before.said_s), is_news
