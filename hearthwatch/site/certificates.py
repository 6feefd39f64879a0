"""Certificates of a site: its authority, its broker, its gateways, and what it has revoked (core).

Profile: RFC 5280. EC P-256 throughout. Serial numbers and keys are drawn by the caller, `now` is handed in.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 20 * 365
BROKER_DAYS = 5 * 365
BACKDATED = timedelta(days=1)
"""A box whose clock is a few hours behind must not find its site's certificates not yet valid."""
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.I)

PublicKey = ec.EllipticCurvePublicKey


class CertificateError(ValueError):
    """A certificate can not be made like this; the message names the offending value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who signs: the site's key and the certificate everybody trusts."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """When a certificate is made, for how long, and its number."""

    serial: int
    now: datetime
    days: int

    @property
    def ends(self) -> datetime:
        """The last instant of validity."""
        return self.now.replace(microsecond=0) + timedelta(days=self.days)


def authority_certificate(key: ec.EllipticCurvePrivateKey, *, name: str, issue: Issue) -> x509.Certificate:
    """Make a self-signed authority that may sign gateways and servers, and no further authority."""
    subject = _name(name)
    return (
        _builder(subject, subject, key.public_key(), issue)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def broker_certificate(
    authority: Authority, public_key: PublicKey, *, names: Sequence[str], issue: Issue
) -> x509.Certificate:
    """Make the server certificate of a broker that is reached under these names and addresses."""
    if not names:
        raise CertificateError("a broker needs at least one name under which gateways reach it")
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        _end_entity(authority, names[0][:64], public_key, issue)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(purposes, critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def client_certificate(
    authority: Authority, public_key: PublicKey, *, common_name: str, issue: Issue
) -> x509.Certificate:
    """Make the certificate with which one client is known to the broker by `common_name`."""
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        _end_entity(authority, common_name, public_key, issue)
        .add_extension(purposes, critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def revocation_list(
    authority: Authority, revoked: Iterable[tuple[int, datetime]], *, number: int, now: datetime
) -> x509.CertificateRevocationList:
    """List what is revoked (serial, when).

    It never runs out before the authority does: a broker whose list has run out lets nobody in.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - BACKDATED)
        .next_update(authority.certificate.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_identifier(authority), critical=False)
    )
    for serial, at in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(authority.key, hashes.SHA256())


def check_broker_name(name: str) -> None:
    """Pass a host name or an address. Raises CertificateError."""
    _alternative(name)


def _end_entity(authority: Authority, common_name: str, public_key: PublicKey, issue: Issue) -> x509.CertificateBuilder:
    last = authority.certificate.not_valid_after_utc
    if issue.days < 1 or issue.ends > last:
        raise CertificateError(f"{issue.days} days are not between 1 and the end of the site's authority, {last:%F}")
    return (
        _builder(_name(common_name), authority.certificate.subject, public_key, issue)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(_authority_identifier(authority), critical=False)
    )


def _builder(subject: x509.Name, issuer: x509.Name, public_key: PublicKey, issue: Issue) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(issue.serial)
        .not_valid_before(issue.now.replace(microsecond=0) - BACKDATED)
        .not_valid_after(issue.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_identifier(authority: Authority) -> x509.AuthorityKeyIdentifier:
    extension = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not _DNS_NAME.fullmatch(name):
            raise CertificateError(f"{name!r} is neither a host name nor an address") from None
        return x509.DNSName(name.lower())
