"""Who claims which device: config documents, the book, putting lists together."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.claims.claims import (
    DEVICES_MAX,
    Book,
    BookError,
    Claim,
    ClaimedBy,
    ClaimError,
    Config,
    ConfigError,
    all_claims,
    book_text,
    merged,
    parse_address,
    parse_book,
    parse_config,
    with_claim,
    with_config,
    without_claim,
)

A, B, C = "C0:00:00:00:00:0A", "C0:00:00:00:00:0B", "C0:00:00:00:00:0C"
ISSUED = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = Config(issued_at=ISSUED, claims=(Claim(address=A, driver="jumper", claimed_by=ClaimedBy.CENTRE),))


def document(**changes: Any) -> bytes:
    whole = {"issued_at": "2026-03-01T12:00:00+00:00", "devices": [{"address": A, "driver": "jumper"}]} | changes
    return json.dumps(whole).encode()


def address(number: int) -> str:
    return f"D0:00:00:00:{number // 256:02X}:{number % 256:02X}"


def test_a_config_names_devices_and_drivers() -> None:
    assert parse_config(document()) == CONFIG
    assert parse_config(document(devices=[{"address": A.lower()}])).claims[0] == Claim(
        address=A, driver=None, claimed_by=ClaimedBy.CENTRE
    )
    assert parse_config(document(devices=[])).claims == ()


def test_what_a_newer_centre_adds_is_passed_over() -> None:
    assert parse_config(document(colour="blue", devices=[{"address": A, "driver": "jumper", "site": 7}])) == CONFIG


def test_the_example_of_the_wire_format_is_one() -> None:
    page = Path(__file__).resolve().parents[3] / "docs/wire-format.md"
    chapter = page.read_text(encoding="utf-8").partition("## Config\n")[2]
    example = chapter.partition("```json\n")[2].partition("```")[0]
    assert [(claim.address, claim.driver) for claim in parse_config(example.encode()).claims] == [
        ("C0:00:00:00:00:01", None),
        ("C0:00:00:00:00:09", "jumper"),
    ]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "config is not JSON"),
        (b"\xff\xfe\x00", "config is not JSON"),
        (b"[" * 100_000, "config is not JSON"),
        (b"[]", "config: [] is no object"),
        (document(devices=None), "devices: None is no list"),
        (document(devices={"a": 1}), "devices: {'a': 1} is no list"),
        (document(devices=["x"]), "devices[0]: 'x' is no object"),
        (document(devices=[{}]), "devices[0].address: None is no string"),
        (document(devices=[{"address": "C0:00"}]), "'C0:00' is no Bluetooth address"),
        (document(devices=[{"address": A, "driver": 7}]), "devices[0].driver: 7 is no driver's name"),
        (document(devices=[{"address": A, "driver": "../x"}]), "devices[0].driver: '../x' is no driver's name"),
        (document(devices=[{"address": A}, {"address": B}, {"address": A.lower()}]), f"{A} is named twice"),
        (document(devices=[{"address": address(n)} for n in range(65)]), "65 devices, at most 64"),
        (document(issued_at=7), "issued_at: 7 is no instant"),
        (document(issued_at="2026-03-01T12:00:00"), "no instant with its offset"),
        (document(issued_at="yesterday"), "issued_at: 'yesterday' is no instant"),
    ],
)
def test_a_malformed_config_is_refused_whole_and_the_value_is_named(payload: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(payload)
    assert said in str(refused.value)


def test_as_many_devices_as_the_bound_are_taken() -> None:
    assert len(parse_config(document(devices=[{"address": address(n)} for n in range(DEVICES_MAX)])).claims) == 64


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["devices", "issued_at", "address", "x"]), inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_make_it_raise_anything_else(payload: bytes) -> None:
    for parse, error in ((parse_config, ConfigError), (parse_book, BookError)):
        with suppress(error):
            parse(payload)  # type: ignore[operator]


def claims(*pairs: tuple[str, str | None], by: ClaimedBy) -> tuple[Claim, ...]:
    return tuple(Claim(address=address, driver=driver, claimed_by=by) for address, driver in pairs)


def test_a_device_that_two_claim_is_read_once_under_the_first_with_the_driver_that_is_named() -> None:
    centre = claims((A, None), (B, "yuwell"), by=ClaimedBy.CENTRE)
    technician = claims((A, "jumper"), (B, "jumper"), (C, None), by=ClaimedBy.TECHNICIAN)
    assert merged(centre, technician, devices_max=9).claims == (
        Claim(address=A, driver="jumper", claimed_by=ClaimedBy.CENTRE),
        Claim(address=B, driver="yuwell", claimed_by=ClaimedBy.CENTRE),
        Claim(address=C, driver=None, claimed_by=ClaimedBy.TECHNICIAN),
    )


def test_the_bound_leaves_out_the_last_and_says_which() -> None:
    book = Book(config=CONFIG, technician=claims((C, None), by=ClaimedBy.TECHNICIAN))
    found = all_claims([B], book, devices_max=2)
    assert [(claim.address, claim.claimed_by.value) for claim in found.claims] == [(B, "settings"), (A, "centre")]
    assert [claim.address for claim in found.left_out] == [C]


def test_a_config_that_came_before_changes_nothing_and_another_replaces_it() -> None:
    first = with_config(Book(), CONFIG, ISSUED)
    assert with_config(first, CONFIG, ISSUED.replace(hour=13)) is first
    older = Config(issued_at=ISSUED.replace(year=2025), claims=())
    assert with_config(first, older, ISSUED).config == older, "the retained message counts, whatever its age"


def test_a_technician_claims_and_releases() -> None:
    book = with_claim(with_claim(Book(config=CONFIG), B, None), B, "yuwell")
    assert book.technician == claims((B, "yuwell"), by=ClaimedBy.TECHNICIAN)
    assert without_claim(book, B) == Book(config=CONFIG)


def test_what_a_technician_can_not_do_is_said() -> None:
    full = Book(technician=claims(*((address(n), None) for n in range(DEVICES_MAX)), by=ClaimedBy.TECHNICIAN))
    with pytest.raises(ClaimError, match=f"{A} not claimed: 64 devices"):
        with_claim(full, A, None)
    assert len(with_claim(full, address(3), "jumper").technician) == DEVICES_MAX, "one that is there may change"
    with pytest.raises(ClaimError, match="claimed by the centre: release it in the console"):
        without_claim(Book(config=CONFIG), A)
    with pytest.raises(ClaimError, match=f"{B} is not claimed here"):
        without_claim(Book(config=CONFIG), B)


@pytest.mark.parametrize(
    "text", ["", "C0:00:00:00:00", "C0-00-00-00-00-01", "C0:00:00:00:00:0G", "C0:00:00:00:00:01:02"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ClaimError, match="is no Bluetooth address"):
        parse_address(text)


@pytest.mark.parametrize(
    "book",
    [
        Book(),
        Book(config=CONFIG, received_at=ISSUED),
        Book(config=CONFIG, received_at=ISSUED, technician=claims((B, None), by=ClaimedBy.TECHNICIAN)),
    ],
)
def test_the_book_is_read_as_it_was_written(book: Book) -> None:
    assert parse_book(book_text(book)) == book


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"technician": 7}', b'{"technician": [], "config": 3}'])
def test_a_damaged_book_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(BookError):
        parse_book(text)
