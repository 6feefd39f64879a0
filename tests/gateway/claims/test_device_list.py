"""What a person at the box is shown, and how old it is: a signal strength only while it is one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.claims.claims import Claim, ClaimedBy
from gateway.claims.device_list import FRESH_S, document_of, listed, text_of

A, B, C = "C0:00:00:00:00:0A", "C0:00:00:00:00:0B", "C0:00:00:00:00:0C"
CLAIMS = (
    Claim(address=A, driver=None, claimed_by=ClaimedBy.CENTRE),
    Claim(address=B, driver="yuwell", claimed_by=ClaimedBy.TECHNICIAN),
)
READ = {"address": A, "name": "ox", "driver": "jumper", "kind": "oximeter", "state": "stream", "rssi": -60,
        "last_reading_age_s": 2.0, "battery_percent": 80.0, "claimed_by": "centre"}  # fmt: skip
NEAR = {"address": C, "name": "PO60", "driver": "beurer_po60", "product": "Beurer PO60", "kind": "oximeter",
        "rssi": -71, "age_s": 3.0}  # fmt: skip
STATUS = json.dumps({"state": "online", "devices": [READ], "nearby": [NEAR]}).encode()


def entry(**changes: Any) -> dict[str, Any]:
    whole = {"address": "", "name": "", "product": None, "driver": None, "kind": None, "state": None,
             "claimed_by": None, "rssi": None, "battery_percent": None}  # fmt: skip
    return whole | changes


def test_what_is_claimed_and_what_is_near_stand_side_by_side() -> None:
    assert document_of(listed(CLAIMS, STATUS, 1.0)) == {
        "running": True,
        "status_age_s": 1.0,
        "devices": [
            entry(**READ | {"last_reading_age_s": 3.0}),
            entry(address=B, driver="yuwell", claimed_by="technician", last_reading_age_s=None),
        ],
        "nearby": [entry(**NEAR | {"age_s": 4.0})],
    }


@pytest.mark.parametrize(("age_s", "shown"), [(FRESH_S, True), (FRESH_S + 0.1, False)])
def test_of_an_old_word_no_state_and_no_signal_is_shown_as_live(age_s: float, shown: bool) -> None:
    found = listed(CLAIMS, STATUS, age_s)
    assert found.running is shown
    assert (found.devices[0].rssi is not None, found.devices[0].state is not None) == (shown, shown)
    assert (found.nearby[0].rssi is not None) is shown
    assert found.nearby[0].age_s == age_s + 3.0


def test_after_a_goodbye_nothing_is_shown_as_live_however_young_the_word() -> None:
    left = json.dumps({"state": "offline", "devices": [READ], "nearby": [NEAR]}).encode()
    found = listed(CLAIMS, left, 1.0)
    assert (found.running, found.devices[0].state, found.devices[0].rssi, found.nearby[0].rssi) == (False, *[None] * 3)
    assert found.devices[0].age_s == 3.0
    assert text_of(found)[-1] == "as of 1 s ago: the gateway is not running, what is near now is not known"


def test_of_a_device_not_heard_for_long_no_signal_is_shown() -> None:
    quiet = json.dumps({"nearby": [NEAR | {"age_s": 119.0}, NEAR | {"age_s": 119.1}]}).encode()
    assert [line.rssi for line in listed((), quiet, 1.0).nearby] == [-71, None]


def test_what_was_claimed_since_is_near_no_more() -> None:
    since = (*CLAIMS, Claim(address=C, driver=None, claimed_by=ClaimedBy.TECHNICIAN))
    assert listed(since, STATUS, 1.0).nearby == []


def test_a_gateway_that_reads_all_lists_them_too() -> None:
    all_read = json.dumps({"devices": [READ | {"claimed_by": "all"}]}).encode()
    assert [line.address for line in listed((), all_read, 1.0).devices] == [A]
    assert listed((), STATUS, 1.0).devices == [], "released a moment ago"


def test_a_person_reads_a_table() -> None:
    assert text_of(listed(CLAIMS, STATUS, 1.0)) == [
        "read by this gateway:",
        "  C0:00:00:00:00:0A  ox         jumper  oximeter  stream  last reading 3 s ago  -60 dBm  claimed by centre",
        "  C0:00:00:00:00:0B  (no name)  yuwell" + " " * 51 + "claimed by technician",
        "",
        "nearby, not claimed:",
        "  C0:00:00:00:00:0C  PO60  beurer_po60  oximeter  heard 4 s ago  -71 dBm",
        "",
        "as of 1 s ago",
    ]


def test_it_says_that_a_gateway_is_not_running_or_never_was() -> None:
    assert text_of(listed((), STATUS, 7200.0))[-1].startswith("as of 2 h ago: the gateway is not running")
    assert text_of(listed((), None, None)) == [
        "read by this gateway:",
        "  nothing is claimed",
        "",
        "nearby, not claimed:",
        "  no health device",
        "",
        "no gateway has run here yet: what is near is not known",
    ]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False, width=32) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["devices", "nearby", *READ, *NEAR]), inner),
)


@given(st.binary() | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_a_status_of_another_form_says_nothing_and_breaks_nothing(status: bytes) -> None:
    found = listed(CLAIMS, status, 1.0)
    assert [line.address for line in found.devices][:2] == [A, B]
    json.dumps(document_of(found))
    text_of(found)
