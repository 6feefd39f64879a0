"""Seeded streams of SpO2 samples, drawn as spells of level and length: what engine and oracle are compared on."""

import random
from dataclasses import dataclass

from alerting.profile import Profile
from alerting.profile_file import parse_profile, standard_adult
from vitals.sustained import SustainedEvent, SustainedState, step


@dataclass(frozen=True, slots=True)
class Sample:
    """One good sample of one patient."""

    patient_id: int
    t_ms: int
    value: int


def profile() -> Profile:
    """Give the profile that ships with the product."""
    return parse_profile(standard_adult())


def stream(seed: int, *, patients: int = 5, length_s: int = 1800, partition: int = 3) -> list[Sample]:
    """Draw each patient's course as spells near the limits, with dips, gaps and odd rates; in order of time."""
    draw = random.Random(seed)
    samples = []
    for row in range(patients):
        t_ms = draw.randrange(0, 30_000)
        while t_ms < length_s * 1000:
            level = draw.choice((8700, 8800, 8801, 8899, 8900, 9000, 9299, 9300, 9399, 9400, 9700))
            every_ms = draw.choice((250, 1000, 1000, 1000, 4000, 9999, 10_000, 10_001, 15_000))
            noise = draw.choice((0, 0, 0.1, 0.25))
            until = t_ms + draw.choice((5, 20, 59, 60, 61, 120, 300, 301, 599, 601, 900)) * 1000
            while t_ms < until:
                value = draw.choice((7000, 9900)) if draw.random() < noise else level
                samples.append(Sample(row * 32 + partition, t_ms, value))
                t_ms += every_ms
            t_ms += draw.choice((0, 0, 0, 30_000, 59_999, 60_000, 100_000, 299_999, 300_000, 301_000))
    return sorted(samples, key=lambda s: (s.t_ms, s.patient_id))


def oracle_events(samples: list[Sample], rules: Profile) -> list[tuple[int, SustainedEvent]]:
    """Judge sample by sample in plain Python; sorted, so that two orders between patients compare equal."""
    states: dict[int, SustainedState] = {}
    events = []
    for sample in samples:
        state = states.setdefault(sample.patient_id, SustainedState(rules=rules.sustained))
        events += [(sample.patient_id, event) for event in step(state, sample.t_ms, sample.value)]
    return ordered(events)


def ordered(events: list[tuple[int, SustainedEvent]]) -> list[tuple[int, SustainedEvent]]:
    """Sort events by patient and time, keeping the order in which one sample said them."""
    return sorted(events, key=lambda pair: (pair[0], pair[1].at_ms))
