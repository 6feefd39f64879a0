"""A pause of the sound: always with an end, two minutes without a reason, twelve hours with one."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alarm.quiet import Quiet, QuietError, Reason, parse_quiet, quiet_text


@pytest.mark.parametrize(
    "quiet",
    [
        Quiet(minutes=1),
        Quiet(minutes=2),
        Quiet(minutes=720, reason=Reason.IN_HOSPITAL),
        Quiet(minutes=3, reason=Reason.ATTENDED),
    ],
)
def test_a_pause_survives_its_way(quiet: Quiet) -> None:
    assert parse_quiet(quiet_text(quiet)) == quiet


@pytest.mark.parametrize(
    ("minutes", "reason"), [(3, None), (0, None), (-1, None), (721, Reason.ATTENDED), (0, Reason.DEVICE_FAULT)]
)
def test_a_pause_without_an_end_in_its_bounds_is_refused_with_its_minutes(minutes: int, reason: Reason | None) -> None:
    with pytest.raises(QuietError, match=f"^{minutes} min"):
        Quiet(minutes=minutes, reason=reason)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"minutes": 2}',
        b'{"minutes": "2", "reason": null}',
        b'{"minutes": true, "reason": null}',
        b'{"minutes": 2, "reason": "because"}',
        b'{"minutes": 3, "reason": null}',
        b'{"minutes": 2, "reason": []}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_no_pause(text: bytes) -> None:
    with pytest.raises(QuietError):
        parse_quiet(text)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(text: bytes) -> None:
    with contextlib.suppress(QuietError):
        parse_quiet(text)
