"""When a certificate ends, without a library: against the library's own word, and whatever bytes come."""

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.uplink.certificate_dates import CertificateError, not_after

KEY = ec.generate_private_key(ec.SECP256R1())


def made(ends: datetime, *, name: str = "gw-1", serial: int = 5) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(ends)
        .sign(KEY, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"


@given(
    ends=st.integers(1, 2_900_000_000).map(
        lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    ),
    name=st.text("abcdefgh-_", min_size=1, max_size=63),
    serial=st.integers(min_value=1, max_value=2**158),
)
def test_it_is_what_the_library_says(ends: datetime, name: str, serial: int) -> None:
    der = made(ends, name=name, serial=serial)
    assert not_after(pem(der)) == x509.load_der_x509_certificate(der).not_valid_after_utc == ends


@pytest.mark.parametrize(
    "ends",
    [
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),  # the last of the two-digit years (RFC 5280, 4.1.2.5)
        datetime(2050, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
    ids=str,
)
def test_years_of_two_and_of_four_digits(ends: datetime) -> None:
    assert not_after(pem(made(ends))) == ends


def test_text_around_it_and_a_chain_behind_it_change_nothing() -> None:
    ends = datetime(2030, 5, 6, tzinfo=UTC)
    assert not_after("subject=gw\n" + pem(made(ends)) + pem(made(datetime(2031, 1, 1, tzinfo=UTC)))) == ends


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nabc", "no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nab!c\n-----END CERTIFICATE-----", "base64"),
        (pem(b""), "certificate expected, tag is missing"),
        (pem(b"\x04\x00"), "certificate expected, tag is 04"),
        (pem(b"\x30\x82"), "certificate has no length"),
        (pem(b"\x30\x05\x30"), "certificate is cut off"),
    ],
)
def test_what_is_no_certificate_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(CertificateError, match=said):
        not_after(text)


@given(data=st.data(), cut=st.integers(0, 400))
def test_no_damage_raises_anything_else(data: st.DataObject, cut: int) -> None:
    der = bytearray(made(datetime(2030, 1, 1, tzinfo=UTC)))
    for at in data.draw(st.lists(st.integers(0, 120), max_size=4)):
        der[at] = data.draw(st.integers(0, 255))
    with suppress(CertificateError):
        assert not_after(pem(bytes(der[: len(der) - cut]))).tzinfo is UTC
