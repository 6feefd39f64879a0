"""What may be shown of a gateway at an instant: nothing old as live, nothing of patients out of sight, no breakage."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.gateways import ClaimRow, DeviceRow, GatewayCard, GatewayRow, Signal, Standing, card_of
from dashboards.heartbeat import read_heartbeat
from tests.dashboards.homes import OXIMETER, WORN, heartbeat, near, read

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def row(said: Any, *, age: timedelta | None = 5 * SECOND, online: bool | None = True) -> GatewayRow:
    return GatewayRow(
        gateway_id="gw-1", place="place", organisation_id=2, organisation_name="o", organisation_name_en="o",
        time_zone="Asia/Shanghai", online=online, received_at=NOW, heartbeat_at=None if age is None else NOW - age,
        heartbeat=said,
    )  # fmt: skip


def known(key: str, *, organisation_id: int | None = 2, **changes: Any) -> DeviceRow:
    values: dict[str, Any] = {
        "device_key": key, "kind": "oximeter", "patient_key": "p-1", "patient_name": "王秀英", "bed": "203",
        "organisation_id": organisation_id, "measured_at": None, "read_by": [],
    }  # fmt: skip
    return DeviceRow(**(values | changes))


def card(
    said: Any, *, claims: tuple[ClaimRow, ...] = (), devices: tuple[DeviceRow, ...] = (), **how: Any
) -> GatewayCard:
    return card_of(row(said, **how), claims, {d.device_key: d for d in devices}, scope=[2], now=NOW)


def claim(key: str) -> ClaimRow:
    return ClaimRow(gateway_id="gw-1", device_key=key, kind="oximeter", driver=None, claimed_at=NOW)


@pytest.mark.parametrize(
    ("online", "age", "standing"),
    [
        (True, 5 * SECOND, Standing.ONLINE),
        (True, 120 * SECOND, Standing.ONLINE),
        (True, 121 * SECOND, Standing.SILENT),
        (True, None, Standing.SILENT),
        (False, 5 * SECOND, Standing.OFFLINE),
        (None, None, Standing.NEVER),
    ],
)
def test_a_gateway_is_there_only_while_it_speaks(
    online: bool | None, age: timedelta | None, standing: Standing
) -> None:
    said = heartbeat(devices=[read(WORN, "", "oximeter")], nearby=[near(OXIMETER, "", "oximeter", age_s=0)])
    shown = card(None if online is None else said, online=online, age=age)
    assert (shown.standing, shown.live) == (standing, standing is Standing.ONLINE)
    for device in shown.devices:
        assert (device.signal is not None, device.state is not None, device.connected) == (shown.live,) * 3
    assert all((each.signal is not None) is shown.live for each in shown.nearby)


@pytest.mark.parametrize(
    ("heartbeat_s", "fresh_s"),
    [
        (60, 120), (300, 600), (600.5, 1201), (5, 30), (0, 30), (1e9, 7200), (-1, 30),
        (None, 120), ("300", 120), (True, 120), ([300], 120),
    ],
)  # fmt: skip
def test_a_gateway_is_judged_by_how_often_it_says_that_it_speaks(heartbeat_s: Any, fresh_s: float) -> None:
    said = heartbeat(heartbeat_s=heartbeat_s, nearby=[near(OXIMETER, "", "oximeter", age_s=0)])
    limit = timedelta(seconds=fresh_s)
    assert [card(said, age=age).standing for age in (limit, limit + SECOND)] == [Standing.ONLINE, Standing.SILENT]
    shown = card(said, age=SECOND)
    assert shown.fresh_until == NOW - SECOND + limit
    assert shown.nearby[0].signal is not None
    assert shown.nearby[0].signal.until == NOW - SECOND + limit


@pytest.mark.parametrize(
    ("heard_age_s", "said_age_s", "shown"), [(5, 2.0, True), (5, 115.0, True), (5, 115.1, False), (119, 1.1, False)]
)
def test_a_neighbour_not_heard_for_two_minutes_has_no_signal(heard_age_s: int, said_age_s: float, shown: bool) -> None:
    [each] = card(heartbeat(nearby=[near(OXIMETER, "", "oximeter", age_s=said_age_s)]), age=heard_age_s * SECOND).nearby
    assert each.heard_at == NOW - timedelta(seconds=heard_age_s + said_age_s)
    assert (each.signal is not None) is shown


@pytest.mark.parametrize(
    ("dbm", "bars"), [(-50, 4), (-60, 4), (-61, 3), (-70, 3), (-71, 2), (-80, 2), (-81, 1), (-90, 1), (-91, 0)]
)
def test_strength_is_drawn_as_bars(dbm: int, bars: int) -> None:
    assert Signal(dbm=dbm, until=NOW).bars == bars


def test_a_claim_stands_before_the_gateway_has_taken_it_up_and_is_near_no_more() -> None:
    said = heartbeat(nearby=[near(OXIMETER, "ox", "oximeter")])
    shown = card(said, claims=(claim(OXIMETER),), devices=(known(OXIMETER),))
    [device] = shown.devices
    assert (device.address, device.name, device.claimed, device.taken) == (OXIMETER, "ox", True, False)
    assert shown.nearby == []
    taken = card(heartbeat(devices=[read(OXIMETER, "ox", "oximeter")]), claims=(claim(OXIMETER),))
    assert [(device.name, device.claimed, device.taken) for device in taken.devices] == [("ox", True, True)]


def test_of_a_patient_out_of_sight_only_that_there_is_one_is_told() -> None:
    said = heartbeat(devices=[read(WORN, "", "oximeter")], nearby=[near(OXIMETER, "", "oximeter")])
    shown = card(said, devices=(known(WORN, organisation_id=3), known(OXIMETER)))
    assert shown.devices[0].wearer is not None
    assert (shown.devices[0].wearer.hidden, shown.devices[0].wearer.name, shown.devices[0].wearer.bed) == (True, "", "")
    assert shown.nearby[0].wearer is not None
    assert (shown.nearby[0].wearer.key, shown.nearby[0].wearer.name) == ("p-1", "王秀英")


def test_the_newer_of_what_is_stored_and_what_is_said_is_the_newest_reading() -> None:
    said = heartbeat(devices=[read(WORN, "", "oximeter", last_reading_age_s=30.0)])
    assert card(said).devices[0].reading_at == NOW - 35 * SECOND
    stored = known(WORN, measured_at=NOW - 3 * SECOND)
    assert card(said, devices=(stored,)).devices[0].reading_at == NOW - 3 * SECOND
    assert card(heartbeat(devices=[read(WORN, "", "oximeter", last_reading_age_s=None)])).devices[0].reading_at is None


def test_a_reading_newer_than_the_word_outruns_a_state_without_a_link() -> None:
    def state(connected: bool, stored_s: int) -> str | None:
        said = heartbeat(devices=[read(WORN, "", "oximeter", state="scan", connected=connected)])
        return card(said, devices=(known(WORN, measured_at=NOW - stored_s * SECOND),)).devices[0].state

    assert [state(False, 3), state(False, 6), state(True, 3)] == [None, "scan", "scan"]


def test_a_heartbeat_is_read_whole() -> None:
    last = {"rung": "rescan", "because": "silent_air", "adapter": "hci0", "at": "2026-03-01T12:00:00+00:00"}
    said = read_heartbeat(
        heartbeat(
            recovery={"rescan": 2, "refused": 3, "last": last, "troubles": [{"cause": "silent_air"}] * 2},
            adapters=[{"name": "hci0", "state": "unavailable: BleakError: no adapter", "links": 0, "links_max": 5}],
            config={"devices": 3, "refused": "why", "left_out": 1},
            certificate={"expires_at": "2027-03-01T00:00:00+08:00"},
        )
    )
    assert (said.synchronised, said.outbox.depth, said.outbox.hours_left, said.version) == (True, 10, 312.5, "0.1.0")
    assert (said.recovery.counts, said.recovery.last_rung, said.recovery.last_at) == ({"rescan": 2}, "rescan", NOW)
    assert (said.recovery.refused, said.recovery.troubles) == (3, ("silent_air",))
    [adapter] = said.adapters
    assert (adapter.name, adapter.state, adapter.trouble) == ("hci0", "unavailable", "BleakError: no adapter")
    assert (said.config_refused, said.config_left_out) == ("why", 1)
    assert said.certificate_expires_at == datetime(2027, 2, 28, 16, tzinfo=UTC)


NAMES = [*heartbeat(), *read("", "", "oximeter"), *near("", "", "oximeter"), "depth", "hours_left", "links", "refused"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
)


@given(
    st.dictionaries(st.sampled_from(NAMES), ANYTHING), st.sampled_from([True, False]), st.sampled_from([None, SECOND])
)
def test_a_heartbeat_of_another_form_breaks_nothing(said: dict[str, Any], online: bool, age: timedelta | None) -> None:
    sane = json.loads(json.dumps(heartbeat(devices=[read(WORN, "", "oximeter")]) | said))
    shown = card(sane, online=online, age=age, devices=(known(WORN, measured_at=NOW),), claims=(claim(WORN),))
    assert shown.devices[0].address == WORN
