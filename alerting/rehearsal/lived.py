"""One patient's stored days under one profile: taken span by span, then said as pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from alerting.course.samples import Samples
from alerting.course.singles import Singles
from alerting.course.streamed import Streamed
from alerting.course.whose import Patient
from alerting.engine.partition import Step
from alerting.episodes import State
from alerting.judging.settling import Settler
from alerting.profile.patient import Held, PatientFacts
from alerting.profile.profile import Consequence, Profile
from alerting.raising import for_patient
from alerting.rehearsal.paged import Page, Raising, pages_of
from alerting.spot.arrivals import Devices


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSpan:
    """What a patient is held to from an instant on, Unix ms."""

    begin_ms: int
    held: Held


class Lived:
    """A patient's course. Holds one span's samples at a time, and what was measured singly."""

    def __init__(self, profile: Profile, patient: Patient, *, begin_ms: int, step: Step) -> None:
        self.profile = profile
        self._patient = patient
        self._settler = Settler(profile)
        self._spans: list[HeldSpan] = []
        self._streamed = Streamed(profile, begin_ms=begin_ms, step=step)
        self._singles = Singles(profile, on_oxygen=patient.facts.on_oxygen)
        self.refused = ""
        """What was wrong with the patient's orders under this profile: then they did not hold."""

    def held(self, facts: PatientFacts, on: date) -> Held:
        """Say what he is held to in a span; an order falls where it can not hold."""
        held, wrong = self._settler.held(facts, on)
        self.refused = self.refused or "; ".join(wrong.in_words())
        return held

    def take(self, samples: Samples, held: Held, devices: Devices, *, begin_ms: int, end_ms: int) -> None:
        """Judge the samples of a span. Raises TooMany."""
        self._spans.append(HeldSpan(begin_ms=begin_ms, held=held))
        self._streamed.judge(samples, held, devices, end_ms=end_ms)
        self._singles.take(samples, held, devices, begin_ms=begin_ms, end_ms=end_ms)

    def pages(self, *, until_ms: int, state: State = State.ACK) -> list[Page]:
        """Say who would have been paged for what, up to an instant; ends the course."""
        found = [*self._streamed.conditions(), *self._singles.conditions(until_ms=until_ms)]
        raisings = [
            Raising(
                rule=each.rule,
                consequence=self._consequence(each.rule, each.raised_ms),
                since_ms=each.since_ms,
                at_ms=each.raised_ms,
                cleared_ms=each.cleared_ms,
            )
            for each in found
        ]
        return pages_of(raisings, state=state)

    def _consequence(self, rule: str, at_ms: int) -> Consequence:
        held = next((span.held for span in reversed(self._spans) if span.begin_ms <= at_ms), self._spans[0].held)
        return for_patient(held.consequences[rule], self._patient, past=False)


def families_of(profile: Profile) -> Mapping[str, str]:
    """Give each rule's family."""
    return {rule: each.family for rule, each in profile.consequences.items()}
