"""What a box asks to be signed, and whether it may be (core)."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.identity.bundle import BundleError, check_gateway_id, fingerprint

CURVES = ("secp256r1", "secp384r1")


class RequestError(ValueError):
    """A certificate signing request can not be granted; the message says why and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that holds: signed by the key it names, for a name that a gateway may have."""

    gateway_id: str
    public_key: ec.EllipticCurvePublicKey
    fingerprint: str


def parse_request(pem: bytes) -> Request:
    """Read and check a request (PKCS 10, PEM). Raises RequestError."""
    try:
        request = x509.load_pem_x509_csr(pem)
    except ValueError as exc:
        raise RequestError("not a certificate signing request in PEM") from exc
    key = _checked_key(request)
    if not request.is_signature_valid:
        raise RequestError("its signature is not of the key in it: the file was changed on the way")
    return Request(
        gateway_id=_checked_name(request),
        public_key=key,
        fingerprint=fingerprint(
            key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        ),
    )


def _checked_key(request: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    try:
        key = request.public_key()
    except ValueError as exc:
        raise RequestError("the key in it can not be read") from exc
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        said = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__.strip("_")
        raise RequestError(f"a key of the kind {said}; {' or '.join(CURVES)} is wanted")
    return key


def _checked_name(request: x509.CertificateSigningRequest) -> str:
    names = [str(each.value) for each in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1:
        raise RequestError(f"it has {len(names)} common names; the gateway id must be its one common name")
    try:
        check_gateway_id(names[0])
    except BundleError as exc:
        raise RequestError(f"common name: {exc}") from exc
    return names[0]
