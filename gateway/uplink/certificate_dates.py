"""When a certificate ends, read from its PEM without any library of certificates (core).

A running gateway says in every status how long its certificate lasts; a library for that would cost it megabytes.
Layout: RFC 5280, 4.1 (Certificate) and 4.1.2.5 (Validity); tags and lengths: X.690.
"""

import base64
import binascii
import re
from datetime import UTC, datetime

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_TIME_FORMATS = {_UTC_TIME: re.compile(rb"\d{12}Z"), _GENERALIZED_TIME: re.compile(rb"\d{14}Z")}


class CertificateError(ValueError):
    """Bytes are no X.509 certificate; the message says where they stop being one."""


def not_after(pem: str) -> datetime:
    """Answer the last instant at which the first certificate of a PEM text is valid. Raises CertificateError."""
    certificate, _ = _value(_der(pem), _SEQUENCE, "certificate")
    body, _ = _value(certificate, _SEQUENCE, "to-be-signed part")
    if body[:1] == bytes([_VERSION]):
        _, body = _value(body, _VERSION, "version")
    for tag, what in ((_INTEGER, "serial number"), (_SEQUENCE, "signature algorithm"), (_SEQUENCE, "issuer")):
        _, body = _value(body, tag, what)
    validity, _ = _value(body, _SEQUENCE, "validity")
    _, rest = _element(validity, "start of validity")
    return _time(rest)


def _der(pem: str) -> bytes:
    _, begin, rest = pem.partition(_BEGIN)
    inside, end, _ = rest.partition(_END)
    if not begin or not end:
        raise CertificateError("no PEM certificate in it")
    try:
        return base64.b64decode("".join(inside.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise CertificateError(f"its base64 is damaged: {exc}") from exc


def _value(data: bytes, tag: int, what: str) -> tuple[bytes, bytes]:
    """Take off the first element, which must have this tag: its value, and what follows."""
    if data[:1] != bytes([tag]):
        raise CertificateError(f"{what} expected, tag is {data[:1].hex() or 'missing'}")
    return _split(data, what)


def _element(data: bytes, what: str) -> tuple[bytes, bytes]:
    """Take off the first element, whatever it is."""
    if not data:
        raise CertificateError(f"{what} is missing")
    return _split(data, what)


def _split(data: bytes, what: str) -> tuple[bytes, bytes]:
    """Read the length (X.690, 8.1.3) and cut there."""
    first = data[1] if len(data) > 1 else 0xFF
    count = first & 0x7F if first & 0x80 else 0
    if count > 4 or len(data) < 2 + count:
        raise CertificateError(f"{what} has no length")
    length = int.from_bytes(data[2 : 2 + count], "big") if count else first
    start = 2 + count
    if len(data) < start + length:
        raise CertificateError(f"{what} is cut off")
    return data[start : start + length], data[start + length :]


def _time(data: bytes) -> datetime:
    text, _ = _element(data, "end of validity")
    form = _TIME_FORMATS.get(data[0])
    if form is None or not form.fullmatch(text):
        raise CertificateError(f"end of validity is {text!r}")
    if data[0] == _UTC_TIME:  # RFC 5280: 50 to 99 are of the last century
        text = (b"19" if int(text[:2]) >= 50 else b"20") + text
    try:
        return datetime.strptime(text.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as exc:
        raise CertificateError(f"end of validity is {text!r}") from exc
