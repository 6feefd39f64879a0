"""Each kind of rule is read strictly: a key that it does not have, a number it can not have, are refused by name."""

from collections.abc import Callable
from typing import Any

import pytest

from alerting.profile.fever import fever_rule
from alerting.profile.limits import limit_row
from alerting.profile.news2 import news2_rule
from alerting.profile.repeat import repeat_rule
from alerting.profile.sustained import sustained_rules
from alerting.profile.tables import ProfileError
from vitals.signals import Signal

LOW = {"below": 93.0, "clear_at": 94.0}
SUSTAINED = LOW | {
    "window_s": 60,
    "share_percent": 100,
    "coverage_percent": 100,
    "building_s": 0,
    "clear_s": 60,
    "clear_gap_s": 0,
}
REPEAT = LOW | {"repeat_from_s": 60, "repeat_until_s": 61, "clear_repeats": 100}
FEVER = {"above": 38.5, "clear_at": 38.0, "longer_than_s": 1, "block_s": 1, "clear_s": 1}
NEWS2 = {"total_from": 20, "single_from": 3, "complete_within_s": 900, "stream_s": 300, "coverage_percent": 100}

Table = dict[str, Any]


def sustained(table: Table) -> object:
    return sustained_rules({"R": table}, {"R": limit_row("r", "R", LOW, Signal.SPO2)})


def repeat(table: Table) -> object:
    return repeat_rule(table, limit_row("r", "R", LOW, Signal.SPO2))


def fever(table: Table) -> object:
    return fever_rule(table, limit_row("r", "R", {k: FEVER[k] for k in ("above", "clear_at")}, Signal.TEMPERATURE))


def news2(table: Table) -> object:
    return news2_rule("R", table)


READERS = [
    pytest.param(sustained, SUSTAINED, id="sustained"),
    pytest.param(repeat, REPEAT, id="repeat"),
    pytest.param(fever, FEVER, id="fever"),
    pytest.param(news2, NEWS2, id="news2"),
]


@pytest.mark.parametrize(("read", "table"), READERS)
def test_a_key_that_is_misspelt_is_refused(read: Callable[[Table], object], table: Table) -> None:
    read(table)
    with pytest.raises(ProfileError, match=rf"{read.__name__}.R: unknown key clear_repaets"):
        read(table | {"clear_repaets": 2})


@pytest.mark.parametrize(
    ("read", "table", "change", "said"),
    [
        (sustained, SUSTAINED, {"share_percent": 101}, "share_percent = 101, not within 0 to 100"),
        (sustained, SUSTAINED, {"coverage_percent": 101}, "coverage_percent = 101, not within 0 to 100"),
        (repeat, REPEAT, {"clear_repeats": 101}, "clear_repeats = 101, not within 0 to 100"),
        (repeat, REPEAT, {"repeat_from_s": 61}, "repeat_from_s = 61 is not before repeat_until_s = 61$"),
        (
            repeat,
            REPEAT,
            {"repeat_from_s": 2000, "repeat_until_s": 2000},
            "repeat_from_s = 2000 is not before repeat_until_s = 2000$",
        ),
        (repeat, REPEAT, {"confirm": "at_once"}, "confirm = 'at_once' waits for no repeat"),
        (news2, NEWS2, {"total_from": 21}, "total_from = 21, not within 0 to 20"),
        (news2, NEWS2, {"single_from": 4}, "single_from = 4, not within 0 to 3"),
        (news2, NEWS2, {"coverage_percent": 101}, "coverage_percent = 101, not within 0 to 100"),
    ],
)
def test_a_number_that_a_rule_can_not_have_is_refused(
    read: Callable[[Table], object], table: Table, change: Table, said: str
) -> None:
    with pytest.raises(ProfileError, match=said):
        read(table | change)


def test_a_fever_is_above() -> None:
    with pytest.raises(ProfileError, match="a fever has a limit above, not below"):
        fever_rule(FEVER, limit_row("r", "R", {"below": 38.0, "clear_at": 38.5}, Signal.TEMPERATURE))
