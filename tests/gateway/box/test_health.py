"""Whether a gateway does its work: the outbox answers, and what waits gets less."""

import pytest

from gateway.box.health import Look, Progress, what_is_wrong


def look(*, answered: bool = True, waiting: int = 0, groups: int = 0, is_disk_full: bool = False) -> Look:
    return Look(answered=answered, progress=Progress(waiting=waiting, groups=groups, is_disk_full=is_disk_full))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (look(), look()),  # a quiet house
        (look(waiting=5), look(waiting=5, groups=1)),  # busy, and getting on
        (look(), look(waiting=5)),  # just come in
        (look(waiting=5), look()),  # just done
        (look(answered=False), look()),  # the disk has come back
        (look(waiting=5), look(waiting=9, is_disk_full=True)),  # a restart makes no room
    ],
)
def test_work_that_goes_on_is_well(before: Look, now: Look) -> None:
    assert what_is_wrong(before, now) is None


def test_an_outbox_that_does_not_answer_is_named() -> None:
    assert what_is_wrong(look(), look(answered=False, is_disk_full=True)) == "the outbox does not answer"


def test_notifications_that_nobody_accepts_are_named() -> None:
    said = what_is_wrong(look(waiting=5, groups=3), look(waiting=7, groups=3))
    assert said == "7 notifications wait and none is accepted"
