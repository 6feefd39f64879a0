"""One look at everything technical, at `desk.now`, from tables alone: it works when ingest or the broker is dead.

First the centre, then its gateways, then devices, each knowing what explains its own silence. Groups of families are
settled apart, so that a poisonous row of one leaves the others alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from alerting.desk import Desk, json
from alerting.isolation import one_by_one
from alerting.profile.profile import Priority
from alerting.profile.technical import RULES, Family
from alerting.technical import centre, gateways, patients, rosters, unbound
from alerting.technical.collapse import Candidate, collapse
from alerting.technical.faults import Holder, Key, cover, open_alarms, settle
from alerting.technical.finding import Finding, Standing, Subject, of_centre, of_gateway
from alerting.technical.gateway_word import GatewayWord, read_word
from alerting.technical.no_data import judge_silence
from alerting.technical.overdue import settle_overdue
from alerting.technical.silence import Cut
from care.duty import roster_holes
from vitals.quality import Reason
from vitals.signals import SIGNALS, Signal

CENTRE = (Family.INGEST, Family.BROKER)
GATEWAY = (Family.GATEWAY, Family.ADAPTER, Family.BACKLOG, Family.CLOCK)
EXPLAINING = (*CENTRE, Family.GATEWAY, Family.ADAPTER)
"""Families whose alarms explain that devices are silent."""

NOBODYS = ("unknown_gateway", "unknown_device", "unbound_device")
UNBOUND = (*NOBODYS, "ambiguous")
"""Why readings lie in `rejected` that are nobody's (ingest/judging/rejection.py)."""

ROSTERS_EVERY = timedelta(seconds=60)
"""How often rosters are looked at that nobody has changed: in a county of 1,500 organisations it takes 0.4 s."""

MESSAGES_MAX = 2000
"""Rows of `rejected` looked at for a critical value; the newest count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is known of the centre and its gateways at this look."""

    words: Sequence[GatewayWord]
    ingest: Sequence[centre.IngestWord]
    blind: centre.Blindness | None
    centres: Sequence[Subject]
    ended: Sequence[Any] = ()

    @property
    def hearing(self) -> gateways.Hearing:
        """Give whether gateways are heard at all."""
        ends = [row.ended_at for row in self.ended if row.family in CENTRE]
        return gateways.Hearing(
            deaf_since=self.blind.since if self.blind else None, heard_again_at=max(ends, default=None)
        )


def look(desk: Desk) -> int:
    """Judge everything technical; gives how many alarms were raised."""
    seen = _picture(desk)
    raised = one_by_one([seen], lambda it: settle(desk, CENTRE, _centre(desk, it)), what="centre")
    seen = _with_ends(desk, seen)
    held: dict[Key, Holder] = {}
    raised += one_by_one([seen], lambda it: _settle_gateways(desk, it, held), what="gateways")
    seen = _with_ends(desk, seen)
    groups: list[tuple[str, Callable[[], int]]] = [
        ("silence", lambda: _silence(desk, seen, held)),
        ("batteries", lambda: settle(desk, (Family.BATTERY,), _batteries(desk))),
        ("overdue measurements", lambda: settle_overdue(desk)),
        ("readings of nobody", lambda: settle(desk, (Family.UNATTRIBUTED,), _unattributed(desk, seen))),
        ("unjudged patients", lambda: settle(desk, (Family.UNJUDGED,), _unjudged(desk))),
        ("rosters", lambda: _rosters(desk, seen)),
        ("unbound devices", lambda: settle(desk, (Family.UNBOUND_LOW,), _unbound(desk, seen))),
    ]
    return raised + one_by_one(groups, lambda group: group[1](), what="technical")


def _picture(desk: Desk) -> Picture:
    words = [read_word(row) for row in desk.all("gateway_words")]
    ingest = [
        centre.IngestWord(process=r.process, said_at=r.said_at, every_s=r.every_s, hears=r.hears, since=r.since)
        for r in desk.all("ingest_words")
    ]
    return Picture(
        words=words,
        ingest=ingest,
        blind=centre.blindness(ingest, words, desk.profile.technical, now=desk.now),
        centres=[of_centre(row.organisation_id) for row in desk.all("centres")],
    )


def _with_ends(desk: Desk, seen: Picture) -> Picture:
    """Learn what has ended by now: whoever it explained has the whole limit again from then."""
    return replace(seen, ended=desk.all("ended_faults", families=list(EXPLAINING)))


def _centre(desk: Desk, seen: Picture) -> Iterator[Finding]:
    return centre.judge(seen.blind, seen.centres, now=desk.now, spoken=bool(seen.ingest))


def _gateways(desk: Desk, seen: Picture) -> Iterator[Finding]:
    limits = desk.profile.technical
    ahead: dict[str, list[str]] = {}
    alone: list[tuple[str, int]] = []
    heard = {word.gateway_id for word in seen.words}
    for row in desk.all("clocks_ahead", reason=int(Reason.CLOCK_AHEAD), now=desk.now):
        for gateway_id in row.gateways:
            ahead.setdefault(gateway_id, []).append(row.device_key)
        if not heard & set(row.gateways):
            alone.append((row.device_key, row.organisation_id))
    for word in seen.words:
        devices = ahead.get(word.gateway_id, ())
        yield from gateways.judge(word, limits, seen.hearing, now=desk.now, ahead=devices)
    yield from gateways.clocks_of_devices(alone)


def _settle_gateways(desk: Desk, seen: Picture, held: dict[Key, Holder]) -> int:
    """Judge gateways; many of which one thing is wrong have one alarm, by which `held` is filled."""
    findings = list(_gateways(desk, seen))
    known = desk.all("technical_faults", families=list(GATEWAY))
    for family in GATEWAY:
        noted = {row.subject: row.since for row in known if row.family == family}
        its = [finding for finding in findings if finding.family is family]
        held |= collapse(desk, family, list(_candidates(desk, seen, its, noted)), lambda: _counted(seen.words)).by
    return settle(desk, GATEWAY, findings, held=held)


def _candidates(
    desk: Desk, seen: Picture, findings: Iterable[Finding], noted: Mapping[str, datetime]
) -> Iterator[Candidate]:
    """Give what is wrong with gateways, what was and is not known to be well, and whose silence is not due yet."""
    limits = desk.profile.technical
    words = {of_gateway(word.gateway_id, word.organisation_id).key: word for word in seen.words}
    for finding in findings:
        key, organisation_id = finding.subject.key, finding.subject.organisation_id
        since = noted.get(key) if finding.standing is not Standing.WELL else None
        due = finding.standing is Standing.FAULT or since is not None
        since = since or finding.since
        if not due and finding.family is Family.GATEWAY:
            since = gateways.late_since(words[key], limits, seen.hearing, now=desk.now)
        priority = limits.consequences[RULES[finding.family]].priority
        if since is not None and organisation_id is not None and priority is not Priority.HIGH:
            medium = priority is Priority.MEDIUM
            yield Candidate(subject=key, organisation_id=organisation_id, since=since, medium=medium, due=due)


def _counted(words: Iterable[GatewayWord]) -> Mapping[tuple[int, str], int]:
    return Counter((word.organisation_id, "") for word in words)


def _silence(desk: Desk, seen: Picture, held: Mapping[Key, Holder]) -> int:
    opened = open_alarms(desk, EXPLAINING)
    silences = judge_silence(desk, seen.words, _cuts(desk, seen, opened.keys() | held.keys()))
    explained = dict(silences.explained)
    if seen.blind is not None:
        covered: list[dict[str, object]] = [
            {"gateway": word.gateway_id} for word in seen.words if _is_covered(desk, seen, word)
        ]
        for subject in seen.centres:
            key = (subject.key, seen.blind.family.value)
            explained[key] = [*covered, *explained.get(key, [])]
    entered: dict[int, list[dict[str, object]]] = {}
    for key, entries in explained.items():
        if alarm := opened.get(key) or held.get(key):
            entered.setdefault(alarm.episode_id, []).extend(entries)
    for episode_id, entries in entered.items():
        cover(desk, episode_id, entries)
    return silences.raised


def _is_covered(desk: Desk, seen: Picture, word: GatewayWord) -> bool:
    return seen.hearing.explains(word, desk.profile.technical)


def _cuts(desk: Desk, seen: Picture, opened: AbstractSet[Key]) -> dict[str, list[Cut]]:
    """Give by gateway what cuts it off now, or did last.

    What somebody has closed while it goes on explains nothing: no device is left without an open alarm that lists it.
    """
    noted = {(row.subject, row.family) for row in desk.all("technical_faults", families=list(EXPLAINING))}
    ended: dict[str, list[Cut]] = {}
    for row in seen.ended:
        cut = Cut(since=row.since, family=row.family, subject=row.subject, ended_at=row.ended_at)
        ended.setdefault(row.subject, []).append(cut)
    whole = [cut for subject in seen.centres for cut in ended.get(subject.key, [])]
    cuts: dict[str, list[Cut]] = {}
    for word in seen.words:
        present = [
            cut
            for cut in _present_cuts(desk, seen, word)
            if (key := (cut.subject, cut.family)) in opened or key not in noted
        ]
        cuts[word.gateway_id] = [*present, *whole, *ended.get(f"gateway:{word.gateway_id}", [])]
    return cuts


def _present_cuts(desk: Desk, seen: Picture, word: GatewayWord) -> Iterator[Cut]:
    limits = desk.profile.technical
    subject = of_gateway(word.gateway_id, word.organisation_id).key
    if seen.blind is not None and _is_covered(desk, seen, word) and seen.centres:
        yield Cut(since=seen.blind.since, family=seen.blind.family.value, subject=seen.centres[0].key)
        return
    if (since := gateways.down_since(word, limits, now=desk.now)) is not None:
        yield Cut(since=since, family=Family.GATEWAY.value, subject=subject)
    if (since := gateways.deaf_since(word)) is not None:
        yield Cut(since=since, family=Family.ADAPTER.value, subject=subject)


def _batteries(desk: Desk) -> Iterator[Finding]:
    limits, signal = desk.profile.technical.battery, SIGNALS[Signal.BATTERY]
    rows = desk.all("batteries", code=signal.code, below=limits.clear_percent * signal.scale, now=desk.now)
    levels = [
        patients.Level(patient_id=r.patient_id, device=r.device_key, level=r.level, measured_at=r.measured_at)
        for r in rows
    ]
    return patients.batteries(levels, limits)


def _unjudged(desk: Desk) -> Iterator[Finding]:
    rows = [
        patients.Unjudged(patient_id=r.patient_id, failed_at=r.failed_at, failures=r.failures, error=r.error)
        for r in desk.all("unjudged")
    ]
    return patients.unjudged(rows, desk.profile.technical.unjudged, now=desk.now)


def _rosters(desk: Desk, seen: Picture) -> int:
    """Look for holes where a roster has changed since the last look, else once in `ROSTERS_EVERY`."""
    with desk.connection.transaction():
        if not desk.run("roster_look_due", now=desk.now, every=ROSTERS_EVERY):
            return 0
        return _look_at_rosters(desk, seen)


def _look_at_rosters(desk: Desk, seen: Picture) -> int:
    ahead = timedelta(seconds=desk.profile.technical.roster.ahead_s)
    findings = list(rosters.judge(roster_holes(desk.connection, desk.now, desk.now + ahead), top=_top(seen)))
    raised = settle(desk, (Family.ROSTER,), findings)
    opened = open_alarms(desk, (Family.ROSTER,))
    for finding in findings:
        alarm = opened.get((finding.subject.key, finding.family.value))
        # A hole that has begun begins "now" at every look: what was said of it stays.
        if alarm is not None and datetime.fromisoformat(finding.evidence["begins_at"]) > desk.now:
            desk.run("restate", episode_id=alarm.episode_id, evidence=json(dict(finding.evidence)))
    return raised


def _unattributed(desk: Desk, seen: Picture) -> Iterator[Finding]:
    limits = desk.profile.technical.unattributed
    after = desk.now - timedelta(seconds=limits.within_s)
    by_source: dict[str, list[Any]] = {}
    for row in desk.all("unattributed", reasons=list(NOBODYS), after=after):
        by_source.setdefault(row.source, []).append(row)
    for source, rows in by_source.items():
        organisation_id = rows[0].organisation_id or _top(seen)
        if organisation_id is not None:
            yield _belonging_to_nobody(source, organisation_id, rows)
    quiet_since = desk.now - timedelta(seconds=limits.quiet_s)
    for subject, family in _noted(desk, Family.UNATTRIBUTED):
        source = subject.removeprefix("gateway:")
        if source not in by_source:
            last = desk.one("unattributed_last", source=source, reasons=list(NOBODYS))
            waits = last is not None and last.last_at is not None and last.last_at > quiet_since
            yield _still(subject, family, waits=waits)


def _belonging_to_nobody(source: str, organisation_id: int, rows: Sequence[Any]) -> Finding:
    first: datetime = min(row.first_at for row in rows)
    return Finding(
        subject=of_gateway(source, organisation_id),
        family=Family.UNATTRIBUTED,
        standing=Standing.FAULT,
        rule="TECH-UNKNOWN-DEVICE",
        since=first,
        evidence={
            "why": sorted({row.reason for row in rows})[0],
            "devices": sorted({row.device for row in rows if row.device}),
            "readings": sum(row.readings for row in rows),
        },
    )


def _unbound(desk: Desk, seen: Picture) -> Iterator[Finding]:
    after = desk.now - unbound.span_of(desk.profile)
    rows = desk.all("unbound_readings", reasons=list(UNBOUND), after=after, most=MESSAGES_MAX)
    refused = [
        unbound.Refused(device=r.device, gateway_id=r.source, organisation_id=top, payload=r.payload)
        for r in rows
        if (top := r.organisation_id or _top(seen)) is not None
    ]
    opened = open_alarms(desk, [Family.UNBOUND_LOW])  # one that a person has closed is over once it is not low
    found = {finding.subject.key: finding for finding in unbound.judge(refused, desk.profile, now=desk.now)}
    for subject, family in _noted(desk, Family.UNBOUND_LOW):
        worn = desk.one("is_bound", device=subject.removeprefix("device:"), now=desk.now)
        if worn is not None and worn.bound:  # from now on the patient's own rules judge
            found[subject] = _still(subject, family, waits=False)
        elif subject not in found or (found[subject].standing is Standing.UNKNOWN and (subject, family) not in opened):
            found[subject] = _still(subject, family, waits=(subject, family) in opened)
    yield from found.values()


def _noted(desk: Desk, family: Family) -> Iterable[Key]:
    """Give what was found wrong before and may be in no row of late: who is no longer heard is not well by that."""
    noted = {(row.subject, row.family) for row in desk.all("technical_faults", families=[family])}
    return sorted(noted | open_alarms(desk, [family]).keys())


def _still(subject: str, family: str, *, waits: bool) -> Finding:
    return Finding(
        subject=Subject(key=subject), family=Family(family), standing=Standing.UNKNOWN if waits else Standing.WELL
    )


def _top(seen: Picture) -> int | None:
    """Give who answers for what is nobody's: the centre."""
    return seen.centres[0].organisation_id if seen.centres else None
