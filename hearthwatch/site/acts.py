"""What a site does: certificates for its broker and ingest, one for each gateway, and taking one back."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.identity.bundle import Bundle
from gateway.identity.key import key_fingerprint, key_pem, new_key, parse_key
from hearthwatch.site.certificates import (
    BROKER_DAYS,
    CertificateError,
    Issue,
    broker_certificate,
    client_certificate,
)
from hearthwatch.site.folder import READERS, Site, SiteError, certificate_pem, give, read_certificate
from hearthwatch.site.ledger import Entry, Ledger, LedgerError, find, owner_of, revoked, valid_of
from hearthwatch.site.signing_request import Request, RequestError, parse_request

GATEWAY_DAYS = 825
INGEST = "service.ingest"
"""Ingest's name at the broker; the dot keeps it apart from every gateway id."""
_RENEW_BELOW = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked of `enrol` beside the request itself; an expected fingerprint of "" is not compared."""

    days: int = GATEWAY_DAYS
    again: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A gateway has a certificate; `superseded` are former ones of another key, revoked now."""

    bundle: Bundle
    entry: Entry
    superseded: Ledger


def ensure_servers(site: Site, now: datetime) -> tuple[str, ...]:
    """Give broker and ingest their certificates, where they have none that is good for long; say which were made."""
    made = []
    key = _server_key(site.folder / "broker" / "broker.key", "broker")
    if _is_due(site.folder / "broker" / "broker.pem", key, now, hosts=site.place.hosts):
        certificate = broker_certificate(
            site.authority, key.public_key(), names=site.place.hosts, issue=_issue(BROKER_DAYS, now)
        )
        give("broker", site.folder / "broker" / "broker.pem", certificate_pem(certificate))
        made.append("broker")
    key = _server_key(site.folder / "ingest" / "ingest.key", "ingest")
    ledger = site.ledger
    if _is_due(site.folder / "ingest" / "ingest.pem", key, now):
        certificate = client_certificate(
            site.authority, key.public_key(), common_name=INGEST, issue=_issue(BROKER_DAYS, now)
        )
        ledger = (*ledger, _entry(certificate, INGEST, key_fingerprint(key), now))
        site.record(ledger)
        give("ingest", site.folder / "ingest" / "ingest.pem", certificate_pem(certificate))
        made.append("ingest")
    for name in READERS:
        give(name, site.folder / name / "ca.pem", certificate_pem(site.authority.certificate))
    site.publish_revocations(ledger, now)
    return tuple(made)


def enrol(site: Site, request_pem: bytes, wish: Wish, now: datetime) -> Enrolled:
    """Sign a gateway's request: recorded first, so that what was signed can be revoked. Raises SiteError."""
    try:
        request = parse_request(request_pem)
        _check(site.ledger, request, wish, now)
        certificate = client_certificate(
            site.authority, request.public_key, common_name=request.gateway_id, issue=_issue(wish.days, now)
        )
    except (RequestError, CertificateError) as exc:
        raise SiteError(str(exc)) from exc
    entry = _entry(certificate, request.gateway_id, request.fingerprint, now)
    former = valid_of(site.ledger, request.gateway_id, now)
    superseded = tuple(each for each in former if each.fingerprint != request.fingerprint)
    ledger = (*revoked(site.ledger, superseded, now=now, why="superseded"), entry)
    site.record(ledger)
    if superseded:
        site.publish_revocations(ledger, now)
    bundle = Bundle(
        gateway_id=request.gateway_id,
        broker_host=site.place.hosts[0],
        broker_port=site.place.port,
        certificate=certificate_pem(certificate).decode(),
        authority=certificate_pem(site.authority.certificate).decode(),
    )
    return Enrolled(bundle=bundle, entry=entry, superseded=superseded)


def revoke(site: Site, wanted: str, *, why: str, now: datetime) -> Ledger:
    """Take back a gateway's certificates, or the one of a serial number. Raises SiteError."""
    try:
        entries = find(site.ledger, wanted, now)
    except LedgerError as exc:
        raise SiteError(str(exc)) from exc
    ledger = revoked(site.ledger, entries, now=now, why=why)
    site.record(ledger)
    site.publish_revocations(ledger, now)
    return entries


def _check(ledger: Ledger, request: Request, wish: Wish, now: datetime) -> None:
    """Pass a request that may be signed. Raises RequestError."""
    if wish.fingerprint and _bare(wish.fingerprint) != _bare(request.fingerprint):
        raise RequestError(f"its key is {request.fingerprint}: not the one expected; it is another box's request")
    owner = owner_of(ledger, request.fingerprint)
    if owner is not None and owner != request.gateway_id:
        raise RequestError(
            f"its key was signed for {owner!r} before: one key, one gateway. On a box made from a copied card remove "
            "gateway.key and gateway.toml, and make its request anew"
        )
    if any(each.revoked_at and each.fingerprint == request.fingerprint for each in ledger):
        raise RequestError("its key was revoked: remove gateway.key on the box and make its request anew")
    former = valid_of(ledger, request.gateway_id, now)
    if former and not wish.again:
        raise RequestError(
            f"{request.gateway_id!r} is enrolled until {former[-1].expires_at:%F} (key {former[-1].fingerprint}); "
            "--again renews it, or replaces the box and revokes the former key"
        )


def _bare(fingerprint: str) -> str:
    return "".join(fingerprint.split()).replace(":", "").lower()


def _issue(days: int, now: datetime) -> Issue:
    """Draw a serial number for a new certificate."""
    return Issue(serial=x509.random_serial_number(), now=now, days=days)


def _entry(certificate: x509.Certificate, gateway_id: str, fingerprint: str, now: datetime) -> Entry:
    """Write down a new certificate."""
    return Entry(
        serial=format(certificate.serial_number, "x"),
        gateway_id=gateway_id,
        fingerprint=fingerprint,
        issued_at=now,
        expires_at=certificate.not_valid_after_utc,
    )


def _server_key(file: Path, reader: str) -> ec.EllipticCurvePrivateKey:
    if not file.exists():
        give(reader, file, key_pem(new_key()), mode=0o600)
    return parse_key(file.read_bytes())


def _is_due(file: Path, key: ec.EllipticCurvePrivateKey, now: datetime, *, hosts: Sequence[str] = ()) -> bool:
    """Say whether a certificate must be made: none, of another key, for other names, or past half of its life."""
    if not file.exists():
        return True
    present = read_certificate(file)
    life = present.not_valid_after_utc - present.not_valid_before_utc
    return (
        present.public_key() != key.public_key()
        or present.not_valid_after_utc - now < life * _RENEW_BELOW
        or _names_of(present) != {host.lower() for host in hosts}
    )


def _names_of(certificate: x509.Certificate) -> set[str]:
    with suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return {str(each.value) for each in names}
    return set()
