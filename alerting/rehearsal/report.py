"""What rehearsed patients come to: the document that `rehearse --json` prints (docs/rehearsal.md)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerting.profile.profile import Profile
from alerting.rehearsal.beyond import Unpaged
from alerting.rehearsal.difference import Decided, Difference, Judged
from alerting.rehearsal.figures import Figures, changes, rate, urgency_of, written
from alerting.rehearsal.paged import Page

FORMAT = 1
"""Of the document; a key is never changed or taken away under one number."""

STANDING, NEW = "standing", "new"
SIDES = (STANDING, NEW)
MS_PER_HOUR, MS_PER_MINUTE, MS_PER_DAY = 3_600_000, 60_000, 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """One patient, judged under both profiles; mappings are by side."""

    patient: str
    zone: str
    days_with_data: int
    stream_days: int
    streamed_ms: int
    pages: Mapping[str, Sequence[Page]]
    difference: Difference
    unpaged: Mapping[str, Mapping[str, Unpaged]]
    orders_refused: Mapping[str, str]
    recorded_pages: int


@dataclass(slots=True)
class _Longest:
    total_ms: int = 0
    longest: Unpaged = field(default_factory=Unpaged)
    patient: str = ""

    def take(self, found: Unpaged, patient: str) -> None:
        self.total_ms += found.total_ms
        if found.longest_ms > self.longest.longest_ms:
            self.longest, self.patient = found, patient

    def document(self) -> dict[str, Any]:
        return {
            "minutes": round(self.total_ms / MS_PER_MINUTE, 1),
            "longest_minutes": round(self.longest.longest_ms / MS_PER_MINUTE, 1),
            "longest_patient": self.patient,
            "longest_at": written(self.longest.longest_at_ms),
        }


class Report:
    """Sums up patient by patient. Its memory is that of the pages."""

    def __init__(self, standing: Profile, new: Profile, *, begins_at: datetime, ends_at: datetime) -> None:
        self._profiles = {STANDING: standing, NEW: new}
        self._begins_at, self._ends_at = begins_at, ends_at
        self._all = {side: Figures() for side in SIDES}
        self._rules: dict[str, dict[str, Figures]] = {}
        self._unpaged: dict[str, dict[str, _Longest]] = {}
        self._changed: dict[str, list[dict[str, Any]]] = {"missed": [], "quieter": [], "newly": []}
        self._later_ms: list[int] = []
        self._patients: list[dict[str, Any]] = []
        self._skipped: list[dict[str, str]] = []
        self._refused: list[dict[str, str]] = []
        self._days = self._stream_days = self._streamed_ms = self._recorded = 0

    def skip(self, patient: str, reason: str) -> None:
        """Name a patient who was not judged, and why."""
        self._skipped.append({"patient": patient, "reason": reason})

    def take(self, one: Rehearsed) -> None:
        """Add a patient."""
        self._days += one.days_with_data
        self._stream_days += one.stream_days
        self._streamed_ms += one.streamed_ms
        self._recorded += one.recorded_pages
        self._later_ms += one.difference.later_ms
        for side in SIDES:
            self._count(side, one)
        for kind, found in self._changed.items():
            found += [_as_line(each, one) for each in getattr(one.difference, kind)]
        self._refused += [
            {"patient": one.patient, "profile": side, "reason": why} for side, why in one.orders_refused.items() if why
        ]
        self._patients.append(_as_course(one))

    def document(self, *, seconds: float) -> dict[str, Any]:
        """Give all of it as plain values; `seconds` is how long it took."""
        missed = self._changed["missed"]
        decided = Counter(str(each["decided"]) for each in missed)
        possible_ms = self._stream_days * MS_PER_DAY
        return {
            "rehearsal": FORMAT,
            "from": self._begins_at.isoformat(),
            "until": self._ends_at.isoformat(),
            **{side: _named(profile) for side, profile in self._profiles.items()},
            "patients": len(self._patients),
            "patient_days": self._days,
            "stream_hours": round(self._streamed_ms / MS_PER_HOUR, 1),
            "coverage_percent": round(100 * self._streamed_ms / possible_ms, 1) if possible_ms else None,
            "skipped": self._skipped,
            "orders_refused": self._refused,
            "recorded_pages": self._recorded,
            "pages": {side: self._all[side].document(self._days) for side in SIDES},
            "by_rule": [
                {"rule": rule, "family": self._family(rule)}
                | {side: self._rules[rule][side].document(self._days) for side in SIDES}
                for rule in sorted(self._rules)
            ],
            "missed_count": {"all": len(missed)} | {each.value: decided[each] for each in Decided},
            "missed_per_patient_day": rate(len(missed), self._days),
            **self._changed,
            "delay_change": changes(self._later_ms),
            "unpaged": [
                {"rule": rule} | {side: self._unpaged[rule][side].document() for side in SIDES}
                for rule in sorted(self._unpaged)
            ],
            "per_patient": self._patients,
            "seconds": round(seconds, 1),
            "patient_days_per_s": round(self._days / seconds, 2) if seconds else None,
        }

    def _count(self, side: str, one: Rehearsed) -> None:
        for page in one.pages[side]:
            self._all[side].take(page, one.zone)
            of_rule = self._rules.setdefault(page.rule, {each: Figures() for each in SIDES})
            of_rule[side].take(page, one.zone)
        for rule, found in one.unpaged[side].items():
            if found.total_ms:
                of_limit = self._unpaged.setdefault(rule, {each: _Longest() for each in SIDES})
                of_limit[side].take(found, one.patient)

    def _family(self, rule: str) -> str:
        known = (profile.consequences.get(rule) for profile in self._profiles.values())
        return next((each.family for each in known if each is not None), "")


def _named(profile: Profile) -> dict[str, Any]:
    return {"name": profile.name, "version": profile.version, "hash": profile.profile_hash}


def _as_line(each: Judged, one: Rehearsed) -> dict[str, Any]:
    page = each.page
    return {
        "patient": one.patient,
        "rule": page.rule,
        "family": page.family,
        "priority": urgency_of(page.consequence),
        "at": written(page.at_ms),
        "since": written(page.since_ms),
        "until": written(page.until_ms),
        "decided": each.decided.value,
        "episode": each.episode_id,
    }


def _as_course(one: Rehearsed) -> dict[str, Any]:
    """Give a patient's timeline: each page once, as both's, only the standing's or only the new's."""
    found = one.difference
    marks = [
        *((page, "both") for page in found.both),
        *((each.page, "missed") for each in found.missed),
        *((each.page, "newly") for each in found.newly),
    ]
    return {
        "patient": one.patient,
        "days_with_data": one.days_with_data,
        "pages": {side: len(one.pages[side]) for side in SIDES},
        "marks": [
            {"at": written(page.at_ms), "rule": page.rule, "priority": urgency_of(page.consequence), "mark": mark}
            for page, mark in _in_time(marks)
        ],
    }


def _in_time(marks: Iterable[tuple[Page, str]]) -> list[tuple[Page, str]]:
    return sorted(marks, key=lambda each: each[0].at_ms)
