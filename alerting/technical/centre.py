"""Whether the centre hears anybody: ingest's silence, the broker's, and which of the two it is.

Ingest says every few seconds that it lives and whether it hears a broker. Its word too old: ingest is silent, and of
the broker nothing is known. Its word fresh and without a broker: the broker is silent. Its word fresh and with a broker
that brings nothing of any gateway, several of which spoke until the same moment: the broker brings nothing. A last will
is the broker's own word, so gateways that have left one say nothing against it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerting.profile.technical import RULES, Family, Technical
from alerting.technical.finding import Finding, Standing, Subject
from alerting.technical.gateway_word import GatewayWord
from alerting.technical.gateways import BEAT_S, patience


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestWord:
    """What one process of ingest says: when, how often it means to, whether it hears a broker and since when."""

    process: str
    said_at: datetime
    every_s: float
    hears: bool
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Blindness:
    """Nothing of any gateway can be heard: why, and since when. `known` before it has lasted its limit."""

    family: Family
    since: datetime
    due_at: datetime
    why: str


def blindness(
    ingest: Sequence[IngestWord], gateways: Sequence[GatewayWord], limits: Technical, *, now: datetime
) -> Blindness | None:
    """Say why nothing is heard, if that is so; None also where no ingest has ever spoken."""
    if not ingest:
        return None
    late = [word for word in ingest if now - word.said_at >= _words(word, limits)]
    if len(late) == len(ingest):
        newest = max(ingest, key=lambda word: word.said_at)
        due_at = newest.said_at + max(timedelta(seconds=limits.ingest.silent_s), _words(newest, limits))
        return Blindness(family=Family.INGEST, since=newest.said_at, due_at=due_at, why="ingest_silent")
    fresh = [word for word in ingest if word not in late]
    if not any(word.hears for word in fresh):
        since = max(word.since for word in fresh)
        due_at = since + timedelta(seconds=limits.broker.without_s)
        return Blindness(family=Family.BROKER, since=since, due_at=due_at, why="no_broker")
    hears_since = min(word.since for word in fresh if word.hears)
    return _nothing_brought(gateways, limits, now=now, hears_since=hears_since)


def judge(found: Blindness | None, centres: Sequence[Subject], *, now: datetime, spoken: bool) -> Iterator[Finding]:
    """Judge ingest and broker for each centre; `spoken`: ingest has said something at all."""
    for subject in centres:
        for family in (Family.INGEST, Family.BROKER):
            yield _finding(found, subject, family, now=now, spoken=spoken)


def _finding(found: Blindness | None, subject: Subject, family: Family, *, now: datetime, spoken: bool) -> Finding:
    if found is not None and found.family is family and now >= found.due_at:
        return Finding(
            subject=subject,
            family=family,
            standing=Standing.FAULT,
            rule=RULES[family],
            since=found.since,
            evidence={"why": found.why, "last_heard_at": found.since.isoformat()},
        )
    # A silent ingest knows no broker; whoever has a broker that is away is not silent.
    well = spoken and (found is None or (family is Family.INGEST and found.family is Family.BROKER))
    return Finding(subject=subject, family=family, standing=Standing.WELL if well else Standing.UNKNOWN)


def _words(word: IngestWord, limits: Technical) -> timedelta:
    """How long a word is good for before it counts as late: so many of its own, whatever the clock's speed."""
    return timedelta(seconds=limits.ingest.words * max(word.every_s, 0.0))


def _expected_within(word: GatewayWord, limits: Technical) -> timedelta:
    """How soon something of a gateway is expected: rarely of one that means to speak rarely."""
    beats = max(1.0, (word.heartbeat_s or BEAT_S) / BEAT_S)
    return timedelta(seconds=min(limits.broker.nobody_s * beats, limits.gateway.silent_s_max))


def _nothing_brought(
    gateways: Sequence[GatewayWord], limits: Technical, *, now: datetime, hears_since: datetime
) -> Blindness | None:
    """Find that all who spoke until one moment fell silent with it; who fell silent long before is not among them."""
    online = [word for word in gateways if word.online]
    if not online:
        return None
    newest = max(word.alive_at for word in online)
    together = [word for word in online if newest - word.alive_at < patience(word, limits)]
    newest_word = max(word.said_at for word in gateways)
    if len(together) < limits.broker.gateways_min or newest_word > newest:
        return None
    due_at = max(max(word.alive_at, hears_since) + _expected_within(word, limits) for word in together)
    if now < due_at:
        return None
    return Blindness(family=Family.BROKER, since=newest, due_at=due_at, why="nothing_brought")
