"""The ladder: which rung when, what is not done while data flow, and how often at most."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.recovery.ladder import (
    DATA_FLOW_S,
    DAY_S,
    HEALTHY_S,
    LADDERS,
    SILENT_AIR_S,
    AdapterFacts,
    Cause,
    Facts,
    Ladder,
    Rung,
    Trouble,
    troubles,
)

WELL = AdapterFacts(name="hci0", advertisement_s=0.0, stranger_s=0.0)
ALL_WELL = Facts(began_s=0.0, up_s=10 * DAY_S, adapters=(WELL,))
SILENT = replace(ALL_WELL, adapters=(replace(WELL, expected=True),))


def lived(facts: Facts, *, until_s: int, ladder: Ladder | None = None, from_s: int = 0) -> list[tuple[int, Rung]]:
    """Ask once a second, the facts staying as they are."""
    ladder = ladder or Ladder()
    acts = [(now_s, ladder.next(facts, now_s=float(now_s))) for now_s in range(from_s, until_s)]
    return [(now_s, act.rung) for now_s, act in acts if act]


def on(**changes: object) -> Facts:
    return replace(ALL_WELL, adapters=(replace(WELL, **changes),))  # type: ignore[arg-type]


def test_where_nothing_is_wrong_nothing_is_done() -> None:
    assert lived(ALL_WELL, until_s=3600) == []


def test_silent_air_is_scanned_anew_after_45_seconds_and_the_radio_switched_after_90() -> None:
    assert lived(SILENT, until_s=181) == [
        (45, Rung.RESCAN),
        (90, Rung.POWER_CYCLE),
        (120, Rung.RESCAN),
        (180, Rung.RESTART_BLUETOOTHD),
    ]


def test_in_a_lonely_house_silence_is_given_time() -> None:
    lonely = on(expected=True, stranger_s=None)
    acts = lived(lonely, until_s=3600 + 46)
    assert acts[0] == (45, Rung.RESCAN)
    assert next(at_s for at_s, rung in acts if rung is Rung.POWER_CYCLE) == 945
    assert acts[-1] == (3645, Rung.RESTART_BLUETOOTHD)


def test_a_stranger_within_the_hour_before_makes_a_house_not_lonely() -> None:
    for stranger_s, cause in ((400.0, Cause.SILENT_AIR), (399.0, Cause.SILENT_LONELY_AIR)):
        facts = on(expected=True, advertisement_s=4000.0, stranger_s=stranger_s)
        assert troubles(facts, now_s=5000.0) == [Trouble(cause, "hci0")]


def test_silent_air_is_no_trouble_where_nobody_is_expected() -> None:
    assert lived(on(expected=False), until_s=3600) == []


def test_an_advertisement_a_second_before_the_limit_is_enough() -> None:
    assert troubles(SILENT, now_s=SILENT_AIR_S - 1) == []
    assert troubles(SILENT, now_s=SILENT_AIR_S) == [Trouble(Cause.SILENT_AIR, "hci0")]


def test_an_adapter_that_never_heard_anything_counts_from_the_beginning() -> None:
    facts = on(expected=True, advertisement_s=None)
    assert lived(replace(facts, began_s=100.0), until_s=146) == [(145, Rung.RESCAN)]


def test_what_cuts_links_is_not_done_while_data_flow() -> None:
    ladder = Ladder()
    rungs = []
    for now_s in range(3600):
        facts = on(expected=True, data_s=float(now_s))
        act = ladder.next(facts, now_s=float(now_s))
        rungs += [act.rung] if act else []
    assert set(rungs) == {Rung.RESCAN}


def test_data_that_stopped_flowing_hold_nothing_back() -> None:
    facts = on(expected=True, data_s=90 - DATA_FLOW_S)
    assert (90, Rung.POWER_CYCLE) in lived(facts, until_s=91)


def test_another_adapter_s_data_hold_back_what_is_the_whole_machine_s_only() -> None:
    ladder, rungs = Ladder(), []
    for now_s in range(600):
        hears = AdapterFacts(name="hci1", advertisement_s=float(now_s), data_s=float(now_s))
        act = ladder.next(replace(SILENT, adapters=(*SILENT.adapters, hears)), now_s=float(now_s))
        rungs += [(act.rung, act.adapter)] if act else []
    assert (Rung.POWER_CYCLE, "hci0") in rungs
    assert Rung.RESTART_BLUETOOTHD not in {rung for rung, _ in rungs}


def test_a_gone_bluetoothd_is_answered_at_once_and_restarted_soon() -> None:
    assert lived(replace(ALL_WELL, bluetoothd=False), until_s=30) == [(0, Rung.RESCAN), (10, Rung.RESTART_BLUETOOTHD)]


@pytest.mark.parametrize("cause", [cause for cause in Cause if LADDERS[cause]])
def test_every_ladder_begins_at_once_and_gets_dearer(cause: Cause) -> None:
    assert LADDERS[cause][0][0] == 0
    assert all(a[0] < b[0] and list(Rung).index(a[1]) < list(Rung).index(b[1]) for a, b in pairwise(LADDERS[cause]))


def test_only_the_deepest_cause_counts() -> None:
    lost = AdapterFacts(name="hci0", found=False, powered=False, scan_refused=True, expected=True, starving=True)
    everything = replace(ALL_WELL, adapters=(lost,), bus=False, bluetoothd=False)
    assert troubles(everything, now_s=1000.0) == [Trouble(Cause.BUS_GONE)]
    without_daemon = replace(everything, bus=True)
    assert troubles(without_daemon, now_s=1000.0) == [Trouble(Cause.BLUETOOTHD_GONE)]


def test_an_adapter_that_is_missing_is_not_switched_off_and_on() -> None:
    missing = on(found=False, powered=False)
    assert troubles(missing, now_s=1000.0) == [Trouble(Cause.ADAPTER_MISSING, "hci0")]
    assert lived(missing, until_s=61) == [(0, Rung.RESCAN), (60, Rung.RESTART_BLUETOOTHD)]
    other = replace(missing, adapters=(*missing.adapters, AdapterFacts(name="hci1", powered=False)))
    assert Trouble(Cause.ADAPTER_OFF, "hci1") in troubles(other, now_s=1000.0)


def test_broker_and_clock_are_told_and_not_treated() -> None:
    facts = replace(ALL_WELL, broker=False, clock_jumped=True)
    ladder = Ladder()
    assert lived(facts, until_s=600, ladder=ladder) == []
    assert {trouble.cause for trouble, _ in ladder.standing(now_s=600.0)} == {Cause.BROKER_GONE, Cause.CLOCK_JUMPED}


def test_a_trouble_that_comes_back_soon_goes_on_where_it_stood() -> None:
    ladder = Ladder()
    assert lived(SILENT, until_s=91, ladder=ladder)[-1] == (90, Rung.POWER_CYCLE)
    assert lived(ALL_WELL, from_s=91, until_s=150, ladder=ladder) == []
    assert lived(SILENT, from_s=150, until_s=190, ladder=ladder)[-1] == (180, Rung.RESTART_BLUETOOTHD)


def test_after_health_it_begins_below_again() -> None:
    ladder = Ladder()
    lived(SILENT, until_s=151, ladder=ladder)
    healthy_until_s = 151 + int(HEALTHY_S) + 1
    lived(ALL_WELL, from_s=151, until_s=healthy_until_s, ladder=ladder)
    assert ladder.standing(now_s=float(healthy_until_s)) == ()
    later_s = healthy_until_s + 1000
    assert lived(SILENT, from_s=later_s, until_s=later_s + 2, ladder=ladder) == [(later_s, Rung.RESCAN)]


def test_a_reboot_needs_leave_a_day_of_uptime_and_a_safe_outbox() -> None:
    gone = replace(ALL_WELL, bluetoothd=False, may_reboot=True)
    assert Rung.REBOOT in {rung for _, rung in lived(gone, until_s=1000)}
    for held_back in (
        replace(gone, may_reboot=False),
        replace(gone, up_s=DAY_S - 1),
        replace(gone, is_safe=False),
    ):
        assert Rung.REBOOT not in {rung for _, rung in lived(held_back, until_s=1000)}


def test_in_a_house_without_devices_the_dear_rungs_become_rare() -> None:
    acts = lived(SILENT, until_s=24 * 3600)
    counts = {rung: sum(r is rung for _, r in acts) for rung in Rung}
    assert counts[Rung.RESCAN] >= 100
    assert 3 <= counts[Rung.POWER_CYCLE] <= 10
    assert 2 <= counts[Rung.RESTART_BLUETOOTHD] <= 8
    assert counts[Rung.REBOOT] == 0


def test_a_trouble_that_comes_and_goes_all_day_is_not_treated_dearly_each_time() -> None:
    ladder, taken = Ladder(), []
    for now_s in range(24 * 3600):
        silent = now_s % 900 < 500  # a house where somebody is heard for a while every quarter of an hour
        heard_s = float(now_s - now_s % 900 if silent else now_s)
        facts = on(expected=True, advertisement_s=heard_s, stranger_s=heard_s)
        act = ladder.next(facts, now_s=float(now_s))
        taken += [act.rung] if act else []
    assert taken.count(Rung.RESCAN) >= 90
    assert taken.count(Rung.POWER_CYCLE) <= 10
    assert taken.count(Rung.RESTART_BLUETOOTHD) <= 8


@settings(max_examples=40, deadline=None)
@given(spells=st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 5)), max_size=40))
def test_however_troubles_come_and_go_every_rung_has_its_rate(spells: list[tuple[int, int]]) -> None:
    kinds = [
        ALL_WELL,
        SILENT,
        replace(ALL_WELL, bluetoothd=False, may_reboot=True),
        replace(ALL_WELL, bus=False, may_reboot=True),
        on(scan_refused=True),
        on(found=False),
    ]
    ladder, acts = Ladder(), []
    lived_through = (kinds[kind] for lasts_s, kind in spells for _ in range(0, lasts_s, 5))
    for now_s, facts in enumerate(lived_through):
        act = ladder.next(replace(facts, up_s=DAY_S + 5 * now_s), now_s=5.0 * now_s)
        acts += [(5 * now_s, act.rung)] if act else []
    least_s = {Rung.RESCAN: 10, Rung.POWER_CYCLE: 300, Rung.RESTART_BLUETOOTHD: 900, Rung.REBOOT: DAY_S}
    for rung, gap_s in least_s.items():
        times_s = [at_s for at_s, taken in acts if taken is rung]
        assert all(later - earlier >= gap_s for earlier, later in pairwise(times_s)), (rung, times_s)
