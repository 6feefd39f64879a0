"""The engine is killed at random statements and begins anew: all is recorded once, as if it had not been."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hearthwatch.bench.engine.course import Course
from hearthwatch.bench.engine.crash import Engine, Found, run
from hearthwatch.bench.engine.script import T0, Doing, Step, script

pytestmark = pytest.mark.long
SEEDS_A_TEST = 5


@pytest.fixture
def course(database: str) -> Iterator[Course]:
    """A small ward without anything recorded."""
    with Course(database) as made:
        yield made


@pytest.mark.parametrize("first_seed", range(0, 30, SEEDS_A_TEST))
def test_a_killed_engine_records_what_an_undisturbed_one_does(course: Course, first_seed: int) -> None:
    found = Found()
    for seed in range(first_seed, first_seed + SEEDS_A_TEST):
        run(course, seed, found)
    assert found.different == []
    assert sum(found.kills.values()) >= SEEDS_A_TEST
    assert found.recorded["events"] > 0


@pytest.mark.parametrize(("seed", "number"), [(2032, 4), (2032, 5), (3004, 1), (3007, 1), (3029, 4)])
def test_a_seed_that_once_differed_does_no_more(course: Course, seed: int, number: int) -> None:
    """A rebuild forgot how long a rule had been well, and how long data had flowed before a gap."""
    found = Found()
    run(course, seed, found, numbers=[number])
    assert found.different == []


def test_a_home_that_was_cut_off_while_the_arrays_were_rebuilt_goes_on_where_it_stopped(course: Course) -> None:
    """What it sends then begins within a window that the log's last minutes do not hold; `sample` does."""
    course.begin()
    engine = Engine(course)

    def stream(patient: int, *, begin_s: int, received_s: int, count: int) -> None:
        begin, now = T0 + timedelta(seconds=begin_s), T0 + timedelta(seconds=received_s)
        course.do(Step(doing=Doing.STREAM, now=now, patient=patient, begin=begin, values=(9100,) * count))
        course.store_received()
        engine.turn(now)

    stream(1, begin_s=0, received_s=270, count=90)
    stream(33, begin_s=5400, received_s=5430, count=10)
    engine.connection.close()
    engine = Engine(course)
    stream(1, begin_s=270, received_s=5460, count=30)
    engine.connection.close()
    raised = [(event.patient_id, event.detail["rule"]) for event in course.record()["events"] if event.kind == "raised"]
    assert raised == [(1, "SPO2-REFER")]


def test_every_kind_of_step_is_drawn_among_the_first_seeds() -> None:
    drawn = {step.doing for seed in range(30) for step in script(seed)}
    assert drawn == set(Doing)


def test_a_turn_asks_nothing_about_a_patient_of_whom_nothing_changed(course: Course) -> None:
    course.begin()
    engine = Engine(course)
    asked = []
    for number, patients in enumerate([(1,), (1,), (1, 33)]):
        begin, now = T0 + timedelta(minutes=number), T0 + timedelta(minutes=number + 1)
        for patient in patients:
            course.do(Step(doing=Doing.STREAM, now=now, patient=patient, begin=begin, values=(9700,) * 20))
        course.store_received()
        asked.append(engine.turn(now))
    engine.connection.close()
    assert asked[1] == asked[2]
