"""A gateway's key, the request it signs with it, and whether a certificate is its own.

Everything that needs the library of certificates is here and is loaded by enrolment only, never by a running gateway.
"""

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.identity.bundle import Bundle, fingerprint

Key = ec.EllipticCurvePrivateKey


class IdentityError(ValueError):
    """A key or certificate is not what it should be; the message says what and what to do."""


def new_key() -> Key:
    """Draw a key (EC P-256)."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> bytes:
    """Write a key as PEM (PKCS 8), unencrypted: a box that starts by itself has nobody to ask."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def parse_key(pem: bytes) -> Key:
    """Read a key. Raises IdentityError."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as exc:
        raise IdentityError("no private key in PEM") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise IdentityError(f"a key of another kind ({type(key).__name__}); EC P-256 is wanted")
    return key


def request_pem(key: Key, gateway_id: str) -> bytes:
    """Write the request for a certificate (PKCS 10), signed by the key it is for."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway_id)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def key_fingerprint(key: Key) -> str:
    """Name the public half of a key."""
    return fingerprint(_public_der(key.public_key()))


def authority_fingerprint(bundle: Bundle) -> str:
    """Name the key that signed, for comparing with what the site said. Raises IdentityError."""
    return fingerprint(_public_der(_parsed(bundle.authority, "authority").public_key()))


def check_bundle(bundle: Bundle, key: Key, now: datetime) -> datetime:
    """Pass a bundle whose certificate fits key, id and authority; answer when it ends. Raises IdentityError."""
    certificate, authority = _parsed(bundle.certificate, "certificate"), _parsed(bundle.authority, "authority")
    if _public_der(certificate.public_key()) != _public_der(key.public_key()):
        raise IdentityError(
            "the certificate belongs to another key than this box's: it is another box's bundle, "
            "or a key was made anew after the request; let the site sign this box's present request"
        )
    names = [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [bundle.gateway_id]:
        raise IdentityError(f"the certificate is for {names}, the bundle says {bundle.gateway_id!r}")
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as exc:
        raise IdentityError("the certificate was not signed by the bundle's authority: ask the site anew") from exc
    if certificate.not_valid_after_utc <= now:
        raise IdentityError(
            f"the certificate ended on {certificate.not_valid_after_utc:%F}: ask the site for a new one"
        )
    return certificate.not_valid_after_utc


def _parsed(pem: str, what: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as exc:
        raise IdentityError(f"{what}: not a certificate in PEM") from exc


def _public_der(key: object) -> bytes:
    assert hasattr(key, "public_bytes"), "every public key of the library has its bytes"
    der: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return der
