"""The engine is killed at random statements and begins anew: all is recorded once, as if it had not been."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hearthwatch.bench.engine_course import Course
from hearthwatch.bench.engine_crash import Engine, Found, run
from hearthwatch.bench.engine_script import T0, Doing, Step, script

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
