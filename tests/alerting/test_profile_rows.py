"""A rule is a row: what the page for newcomers adds is judged by oracle and engines, without a line of code."""

import re
from pathlib import Path

import numpy as np
import pytest

from alerting.engine import numba_step, numpy_step
from alerting.engine.partition import Step, event_of
from alerting.engine.table import Table
from alerting.judging.channels import NOTHING_TO_QUESTION, as_judged
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import Channel, Priority, Trust
from firmware_stubs.courses import ARTEFACT, Course, noise
from firmware_stubs.physiology import State
from tests.alerting.streams import Sample, columns, oracle
from vitals.quality import Quality
from vitals.signals import Signal
from vitals.sustained import Kind

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "adding-a-rule.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?s)```toml\n(.*?)```", PAGE)
PROFILE = parse_profile(standard_adult() + BLOCKS[0])
RULES = PROFILE.sustained[Channel(signal=Signal.PULSE)]
STEPS = [pytest.param(numpy_step.step, id="numpy"), pytest.param(numba_step.step, id="numba")]


def raised(pulse: int, seconds: int, step: Step) -> set[str]:
    """Which rules raise on a pulse that is well, and then this for so long; oracle and engine must agree."""
    levels = [7000] * 300 + [pulse] * seconds
    samples = [Sample(1_700_000_000_000 + i * 1000, 0, value) for i, value in enumerate(levels)]
    said = [event for *_, event in oracle(samples, RULES)[0]]
    events, _ = step(Table(RULES, 1), *columns(samples))
    assert [event_of(RULES, event) for event in events] == said
    return {event.rule for event in said if event.kind is Kind.RAISE}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("pulse", "seconds", "judged"),
    [(15000, 400, True), (14999, 400, False), (15000, 120, False), (20000, 330, True)],
)
def test_the_pages_row_is_judged_from_both_sides_of_its_limit(
    pulse: int, seconds: int, judged: bool, step: Step
) -> None:
    assert ("SITE-PULSE" in raised(pulse, seconds, step)) is judged


def test_the_pages_row_has_its_consequence_and_can_be_ordered() -> None:
    means = PROFILE.consequences["SITE-PULSE"]
    assert (means.family, means.priority, means.tier3) == ("heart_rate_high", Priority.HIGH, False)
    assert PROFILE.limits["SITE-PULSE"].limit is not None


def test_a_row_of_another_kind_is_read_as_easily() -> None:
    rows = re.split(r"(?m)^(?=\[)", standard_adult())
    low = "".join(row for row in rows if row.startswith("[repeat.GLU-LOW")).replace("GLU-LOW", "SITE-GLUCOSE")
    profile = parse_profile(standard_adult() + low.replace("3.9", "3.0"))
    assert [rule.limit for rule in profile.repeat if rule.rule == "SITE-GLUCOSE"] == [301]


QUESTIONABLE = PROFILE.sustained[Channel(signal=Signal.SPO2, trust=Trust.QUESTIONABLE)]


def doubted(course: Course, seconds: int) -> list[Sample]:
    """What the rules on doubtful values are given, once a second: the good ones too, as of nothing to question."""
    states = [course(float(second)) for second in range(seconds)]
    scaled = np.array([round((state.spo2_percent or 0) * 100) for state in states])
    quality = np.where([state.measurement_status == ARTEFACT for state in states], Quality.QUESTIONABLE, Quality.GOOD)
    values = as_judged(Trust.QUESTIONABLE, scaled, quality)
    return [Sample(1_700_000_000_000 + second * 1000, 0, int(value)) for second, value in enumerate(values)]


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_well_person_who_moves_is_not_taken_for_one_on_a_bad_probe(seed: int) -> None:
    samples = doubted(noise(seed=seed), 3 * 3600)
    assert sum(sample.value != NOTHING_TO_QUESTION for sample in samples) > 100
    assert oracle(samples, QUESTIONABLE)[0] == []


def test_a_fall_on_a_bad_probe_is_never_dropped() -> None:
    low = State(spo2_percent=84.0, pulse_per_min=80.0, measurement_status=ARTEFACT)
    said = [event for *_, event in oracle(doubted(lambda _: low, 340), QUESTIONABLE)[0]]
    assert [(event.rule, event.kind) for event in said] == [("QUESTIONABLE-LOW", Kind.RAISE)]


def test_the_page_names_every_key_that_a_variant_may_have() -> None:
    for key in ("age_from_days", "age_until_days", "group", "on_oxygen", "altitude_from_m", "altitude_until_m"):
        assert f"`{key}`" in PAGE
    for key in ("reached_before", "holds", "trust", "family", "drop", "and_below", "clear_above", "after_activity"):
        assert key in PAGE
