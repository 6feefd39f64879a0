"""Tokens of links: whatever is changed in one, or in what it is bound to, it is believed no more."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.link import (
    BadToken,
    Bound,
    Linking,
    WeakSecret,
    is_signed,
    keys_of,
    sign,
    taken_apart,
    with_link,
)
from alerting.settings import AlertingSettings

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
BOUND = Bound(notice_id=7, person_id=1, about="episode:3", created_at=AT)
EXPIRES = AT.replace(microsecond=0) + timedelta(minutes=30)
KEYS = keys_of("a secret of the tests")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def believed(token: str, bound: Bound = BOUND, keys: tuple[bytes, ...] = KEYS) -> bool:
    try:
        return is_signed(keys, taken_apart(token), bound)
    except BadToken:
        return False


def test_a_token_says_its_notice_and_when_it_expires_in_32_characters() -> None:
    token = sign(KEYS[0], BOUND, EXPIRES)
    apart = taken_apart(token)
    assert (len(token), apart.notice_id, apart.expires_at) == (32, 7, EXPIRES)
    assert believed(token)


@given(place=st.integers(0, 31), letter=st.sampled_from(LETTERS))
def test_no_character_can_be_changed(place: int, letter: str) -> None:
    token = sign(KEYS[0], BOUND, EXPIRES)
    changed = token[:place] + letter + token[place + 1 :]
    assert believed(changed) == (changed == token)


@given(st.text(max_size=64))
def test_whatever_comes_in_an_address_is_no_token(text: str) -> None:
    assert not believed(text)


@pytest.mark.parametrize(
    "other",
    [
        Bound(notice_id=8, person_id=1, about="episode:3", created_at=AT),
        Bound(notice_id=7, person_id=2, about="episode:3", created_at=AT),
        Bound(notice_id=7, person_id=1, about="episode:4", created_at=AT),
        Bound(notice_id=7, person_id=1, about="test:3", created_at=AT),
        Bound(notice_id=7, person_id=1, about="episode:3", created_at=AT + timedelta(microseconds=1)),
    ],
)
def test_a_token_is_bound_to_all_that_it_is_for(other: Bound) -> None:
    assert not believed(sign(KEYS[0], BOUND, EXPIRES), other)


def test_a_secret_that_was_replaced_is_accepted_as_long_as_it_is_named() -> None:
    old = sign(keys_of("the secret before it")[0], BOUND, EXPIRES)
    assert not believed(old)
    assert believed(old, keys=keys_of("a secret of the tests", "the secret before it"))
    assert not believed(old, keys=())


def test_a_short_secret_is_refused_by_name_and_never_said() -> None:
    with pytest.raises(WeakSecret, match="at least 16 characters; this one has 15"):
        keys_of("123456789012345")
    assert len(keys_of("1234567890123456", "")) == 1
    with pytest.raises(ValueError, match="at least 16 characters") as caught:
        AlertingSettings(link_secret="too-short-pass")  # type: ignore[arg-type]
    assert "too-short-pass" not in str(caught.value)


def test_without_a_present_secret_no_link_is_signed_by_the_last_one() -> None:
    assert AlertingSettings(link_secret_before="the secret before it").linking.keys == ()  # type: ignore[arg-type]


def test_links_last_as_long_as_their_priority_asks() -> None:
    linking = Linking()
    hours = [linking.lasts(priority) / timedelta(hours=1) for priority in ("high", "medium", "low", None)]
    assert hours == [0.5, 2, 48, 24]


def test_the_link_takes_the_place_of_the_last_line_alone() -> None:
    assert with_link("a\nb\nhttp://c/episodes/3", "/episodes/3", "T") == "a\nb\nhttp://c/a/T"
    for other in ("a\nhttp://c/episodes/31", "a\nhttp://c/referrals#referral-3", "", "/episodes/3\nb"):
        assert with_link(other, "/episodes/3", "T") == other
