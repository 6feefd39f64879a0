"""How many readings are missing, and why: what a gateway says it accepted beside what is here."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ingest.account import Why, why_missing
from ingest.commands import app
from ingest.judging.status import OutboxWord, Status, read_status
from ingest.store.registry import Registry
from ingest.store.storing import Batch, store
from ingest.tend.adding_up import add_up
from ingest.tend.metrics import TendingMetrics
from tests.ingest.county import LENT, NOW, NOW_MS, SPO2, UNBOUND, Home, put, rows_of

ID = "00112233-4455-6677-8899-aabbccddeeff"
County = psycopg.Connection[Any]
STANDING = "SELECT accepted, taken, thinned, on_the_way, lost, unexplained FROM outbox_standing ORDER BY gateway_id"


def says(
    county: County,
    home: Home,
    *,
    gateway_id: str = "gw-1",
    at_ms: int = NOW_MS,
    retained: bool = False,
    **counts: Any,
) -> None:
    """Let a gateway tell of its outbox."""
    word = {"id": str(home.outbox_id), "accepted": 0, "thinned": 0, "depth": 0, "salvaged": 0, **counts}
    payload = json.dumps({"state": "online", "outbox": word}).encode()
    status = read_status(payload, gateway_id=gateway_id, received_ms=at_ms, retained=retained)
    store(county, Batch(now_ms=at_ms, statuses=[status]), Registry(), retention_days=90)


def sent(county: County, home: Home, count: int, **how: Any) -> None:
    put(county, home.message([((home.next_row + row) % 60_000, SPO2, 9500) for row in range(count)], **how))


def test_of_a_gateway_that_is_well_nothing_is_lost_and_the_rest_is_on_its_way(county: County) -> None:
    home = Home(next_row=1)
    sent(county, home, 10)
    says(county, home, accepted=13, depth=5)  # two of them had come, and the gateway did not know
    assert rows_of(county, STANDING) == [(13, 10, 0, 3, 0, 0)]
    sent(county, home, 5)
    assert rows_of(county, STANDING) == [(15, 15, 0, 0, 0, 0)]


def test_numbers_that_a_boot_leaves_out_are_not_missing(county: County) -> None:
    home = Home(next_row=1)
    sent(county, home, 10)
    home.next_row += 100_000
    sent(county, home, 10)
    says(county, home, accepted=20)
    assert rows_of(county, STANDING) == [(20, 20, 0, 0, 0, 0)]


def test_what_the_gateway_thinned_is_told_apart(county: County) -> None:
    home = Home(next_row=1)
    sent(county, home, 4)
    home.next_row += 6
    sent(county, home, 4)
    says(county, home, accepted=16, thinned=6, depth=2, thinned_rows=[[5, 11, 6]])
    assert rows_of(county, STANDING) == [(16, 8, 6, 2, 0, 0)]


def test_what_was_acknowledged_and_is_not_here_is_lost(county: County) -> None:
    """As after a database was restored from yesterday."""
    home = Home(next_row=1)
    sent(county, home, 10)
    says(county, home, accepted=25, depth=5)
    assert rows_of(county, STANDING) == [(25, 10, 0, 5, 10, 0)]


def test_a_database_that_forgot_an_outbox_wholly_knows_what_is_lost_by_the_next_word(county: County) -> None:
    says(county, Home(), accepted=25, depth=5)
    assert rows_of(county, STANDING) == [(25, 0, 0, 5, 20, 0)]


def test_an_older_word_changes_nothing_and_a_retained_one_is_no_news_of_when(county: County) -> None:
    home = Home(next_row=1)
    says(county, home, accepted=20, depth=20)
    says(county, home, accepted=10, depth=10)
    says(county, home, accepted=21, depth=21, at_ms=NOW_MS + 1000, retained=True)
    assert rows_of(county, "SELECT accepted, depth, said_at FROM outbox_word") == [(21, 21, NOW)]


def test_a_phone_that_tells_nothing_has_holes_that_nobody_explains(county: County) -> None:
    home = Home(next_row=7)
    sent(county, home, 3)
    home.next_row += 4
    sent(county, home, 3)
    assert rows_of(county, STANDING) == [(6, 6, 0, 0, 0, 4)]


def test_of_a_copied_outbox_nothing_is_missing(county: County) -> None:
    home = Home(next_row=1)
    sent(county, home, 10)
    put(county, home.message([(0, SPO2, 9000)], devices=[LENT], first_row=30), gateway_id="gw-2")
    says(county, home, gateway_id="gw-2", accepted=31)
    says(county, home, accepted=10)
    assert rows_of(county, STANDING) == [(10, 10, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0)]


def test_what_lay_in_a_replaced_file_and_was_not_salvaged_is_unexplained(county: County) -> None:
    old, new = Home(next_row=1), Home(next_row=1)
    sent(county, old, 10)
    says(county, old, accepted=18, depth=8)
    says(county, new, accepted=5, depth=5, salvaged=5, at_ms=NOW_MS + 60_000)
    found = dict(rows_of(county, "SELECT outbox_id, (on_the_way, lost, unexplained)::text FROM outbox_standing"))
    assert found == {old.outbox_id: "(0,0,3)", new.outbox_id: "(5,0,0)"}


def test_since_when_something_is_missing_is_noted_until_it_is_here(county: County) -> None:
    home, metrics = Home(next_row=1), TendingMetrics()
    says(county, home, accepted=10, depth=10)
    for hours in (0, 1):
        add_up(county, NOW + timedelta(hours=hours), metrics=metrics)
    assert rows_of(county, "SELECT kind, since FROM outbox_noticed") == [("on_the_way", NOW)]
    says(county, home, accepted=10)
    add_up(county, NOW + timedelta(hours=2), metrics=metrics)
    assert rows_of(county, "SELECT kind, since FROM outbox_noticed") == [("lost", NOW + timedelta(hours=2))]
    told = metrics.registry.get_sample_value
    assert told("hearthwatch_ingest_missing_readings", {"kind": "lost"}) == 10
    sent(county, home, 10)
    add_up(county, NOW + timedelta(hours=3), metrics=metrics)
    assert rows_of(county, "SELECT kind, since FROM outbox_noticed") == []
    assert told("hearthwatch_ingest_missing_readings", {"kind": "lost"}) == 0


@pytest.mark.parametrize(
    "word",
    [
        None,
        7,
        {},
        {"id": "no uuid", "accepted": 1, "thinned": 0, "depth": 0},
        {"id": [], "accepted": 1, "thinned": 0, "depth": 0},
        {"id": ID, "accepted": True, "thinned": 0, "depth": 0},
        {"id": ID, "accepted": 1, "thinned": -1, "depth": 0},
        {"id": ID, "accepted": 1, "thinned": 1, "depth": 1},
        {"id": ID, "accepted": 2**70, "thinned": 0, "depth": 0},
        {"id": ID, "accepted": 2**40 + 1, "thinned": 0, "depth": 0},
        {"id": ID, "accepted": 1, "thinned": 0, "depth": 0, "salvaged": 2**40 + 1},
    ],
    ids=str,
)
def test_a_word_of_another_form_is_no_word_and_the_status_is_kept(county: County, word: object) -> None:
    status = read_status(json.dumps({"outbox": word}).encode(), gateway_id="gw-1", received_ms=NOW_MS, retained=False)
    assert status.outbox is None
    store(county, Batch(now_ms=NOW_MS, statuses=[status]), Registry(), retention_days=90)
    assert rows_of(county, "SELECT count(*) FROM gateway_status") == [(1,)]


def test_the_greatest_counts_that_are_believed_can_be_added_up(county: County) -> None:
    for _ in range(3):
        says(county, Home(), accepted=2**40, salvaged=2**40)
    turn = add_up(county, NOW, metrics=TendingMetrics())
    assert f"lost {3 * 2**40}" in turn.detail


def test_words_of_more_than_a_gateway_can_count_do_not_break_the_account(county: County) -> None:
    home, metrics = Home(next_row=1), TendingMetrics()
    says(county, home, accepted=10)
    for _ in range(3):
        says(county, Home(), accepted=2**62)
    assert "lost 10," in add_up(county, NOW, metrics=metrics).detail
    assert rows_of(county, "SELECT outbox_id, accepted FROM outbox_word") == [(home.outbox_id, 10)]


def test_a_sum_of_counts_may_pass_what_the_database_counts_in(county: County) -> None:
    """A word of an older version that believed more; and holes of senders that tell nothing, as wide as rows go."""
    metrics = TendingMetrics()
    for _ in range(3):
        home = Home()
        word = OutboxWord(outbox_id=home.outbox_id, accepted=2**62, thinned=0, depth=0, salvaged=0, thinned_rows=())
        status = Status(gateway_id="gw-1", online=True, received_ms=NOW_MS, body="{}", retained=False, outbox=word)
        store(county, Batch(now_ms=NOW_MS, statuses=[status]), Registry(), retention_days=90)
        phone = Home()
        sent(county, phone, 1)
        sent(county, phone, 1, first_row=2**62)
    turn = add_up(county, NOW, metrics=metrics)
    assert f"lost {3 * 2**62}" in turn.detail
    assert f"unexplained {3 * (2**62 - 1)}" in turn.detail
    assert metrics.registry.get_sample_value("hearthwatch_ingest_missing_readings", {"kind": "lost"}) == 3 * 2**62


def test_malformed_thinned_ranges_are_passed_over() -> None:
    home = Home()
    ranges = [[1, 5, 3], [3, 9, 1], [9, 4, 1], ["1", 2, 1], [], 7, [1.5, 2, 3], [-1, 4, 1], [20, 21]]
    word = {"id": str(home.outbox_id), "accepted": 1, "thinned": 0, "depth": 0, "thinned_rows": ranges}
    status = read_status(json.dumps({"outbox": word}).encode(), gateway_id="gw-1", received_ms=0, retained=False)
    assert status.outbox == OutboxWord(
        outbox_id=home.outbox_id, accepted=1, thinned=0, depth=0, salvaged=0, thinned_rows=((1, 9), (20, 21))
    )


def test_a_hole_is_explained_by_where_it_is() -> None:
    thinned = [(10, 20)]
    assert why_missing((0, 1), thinned=(), is_told=True) is Why.NEVER_GIVEN
    assert why_missing((0, 1), thinned=(), is_told=False) is Why.UNKNOWN
    assert why_missing((19, 25), thinned=thinned, is_told=True) is Why.THINNED
    assert why_missing((20, 25), thinned=thinned, is_told=True) is Why.UNKNOWN
    assert why_missing((5, 100_005), thinned=(), is_told=True) is Why.BOOT
    assert why_missing((5, 100_004), thinned=(), is_told=True) is Why.UNKNOWN
    assert why_missing((5, 100_005), thinned=(), is_told=False) is Why.UNKNOWN


STEPS = st.lists(
    st.tuples(st.sampled_from(["accept", "send", "thin", "boot", "say", "lose"]), st.integers(1, 5)), max_size=25
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_lost_is_what_is_lost_and_else_nothing(county: County, steps: list[tuple[str, int]]) -> None:
    """A gateway in small: whatever it does, right after its word the four numbers are those of its own books."""
    county.execute("TRUNCATE sample, latest, rejected, outbox_owner, outbox_account, intake_log, outbox_word")
    home, waiting, accepted, thinned, lost = Home(next_row=1), list[int](), 0, 0, 0
    for step, count in steps:
        if step == "accept":
            waiting += range(home.next_row, home.next_row + count)
            home.next_row += count
            accepted += count
        elif step == "boot":
            home.next_row += 100_000
        elif step == "thin":
            thinned += len(waiting[:count])
            del waiting[:count]
        elif step == "lose":  # ingest says stored, and it is not
            lost += len(waiting[:count])
            del waiting[:count]
        elif step == "send":
            end = home.next_row
            for row in waiting[-count:]:
                device = [UNBOUND] if row % 3 == 0 else ["C0:00:00:00:00:01"]
                put(county, home.message([(row % 60_000, SPO2, 9500)], first_row=row, devices=device))
            del waiting[-count:]
            home.next_row = end
        says(county, home, accepted=accepted, thinned=thinned, depth=len(waiting))
        assert rows_of(county, STANDING) == [
            (accepted, accepted - thinned - lost - len(waiting), thinned, len(waiting), lost, 0)
        ]


def test_the_command_shows_it(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", f"{county.info.dsn} user={county.info.user}")
    home = Home(next_row=1)
    sent(county, home, 4)
    home.next_row += 2
    sent(county, home, 2, devices=[UNBOUND])
    home.next_row += 2
    sent(county, home, 1)
    says(county, home, accepted=12, thinned=2, depth=1, thinned_rows=[[5, 7, 2]])
    add_up(county, NOW, metrics=TendingMetrics())
    [line] = run("account", "--json").splitlines()
    told = json.loads(line)
    assert {name: told[name] for name in ("accepted", "taken", "stored", "rejected", "repeated")} == {
        "accepted": 12, "taken": 7, "stored": 5, "rejected": 2, "repeated": 0,
    }  # fmt: skip
    assert {name: told[name] for name in ("missing", "thinned", "on_the_way", "lost", "unexplained")} == {
        "missing": 5, "thinned": 2, "on_the_way": 1, "lost": 2, "unexplained": 0,
    }  # fmt: skip
    assert told["holes"] == [[0, 1, "never_given"], [5, 7, "thinned"], [9, 11, "unknown"]]
    assert told["missing_ranges"] == [[5, 7], [9, 11]]
    assert told["since"] == {kind: NOW.isoformat() for kind in ("lost", "on_the_way", "thinned")}
    said = run("account")
    assert "missing 5, thinned 2, on the way 1, lost 2 since 2026-03-01" in said
    assert said.endswith("in all: thinned 2, on the way 1, lost 2, unexplained 0\n")
    assert said.splitlines()[1:4] == ["    row 0: never_given", "    rows 5-6: thinned", "    rows 9-10: unknown"]


def test_of_a_phone_the_command_shows_the_holes_that_are_counted(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", f"{county.info.dsn} user={county.info.user}")
    home = Home(next_row=120)
    sent(county, home, 2)
    assert run("account").splitlines()[0].endswith("taken 2  missing 0")
    assert json.loads(run("account", "--json"))["holes"] == []
    assert "rows" not in run("account")
    for _ in range(12):
        home.next_row += 1
        sent(county, home, 1)
    told = json.loads(run("account", "--json"))
    assert (told["missing"], len(told["holes"])) == (12, 12)
    assert sum(end - first for first, end in told["missing_ranges"]) == 12
    lines = run("account").splitlines()
    assert (lines[1], lines[10], lines[11]) == ("    row 122: unknown", "    row 140: unknown", "    and 2 more")


def test_of_a_copy_the_command_shows_no_holes(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", f"{county.info.dsn} user={county.info.user}")
    home = Home()
    sent(county, home, 3)
    for row in (5, 9):
        put(county, home.message([(0, SPO2, 9000)], devices=[LENT], first_row=row), gateway_id="gw-2")
    [told] = [json.loads(line) for line in run("account", "--json", "--gateway", "gw-2").splitlines()]
    assert (told["is_copy"], told["missing"], told["holes"]) == (True, 0, [])


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout
