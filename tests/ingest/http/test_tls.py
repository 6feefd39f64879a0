"""The HTTP intake with a certificate of its own: nothing goes over the wire that can be read there."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hearthwatch.site.certificates import Authority, Issue, authority_certificate, broker_certificate
from tests.ingest.http.conftest import County
from tests.ingest.http.server import HttpService, Phone, make_token


def test_readings_go_over_tls_to_who_can_show_the_certificate(towns: County, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    settings = certificate_in(tmp_path, authority)
    context = ssl.create_default_context(cafile=str(authority))
    with HttpService(towns.info.dsn, tmp_path, tls=context, **settings) as service:
        phone = Phone(service, make_token(towns))
        assert phone.send(phone.readings(97)).status == 200
        stranger = HttpService(towns.info.dsn, tmp_path, tls=ssl.create_default_context())
        stranger.port = service.port
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.get("/healthz")


def certificate_in(folder: Path, authority_file: Path) -> dict[str, str]:
    """Make an authority and a server's certificate for 127.0.0.1, and the settings that name its files."""
    issue = Issue(serial=1, now=datetime.now(UTC), days=1)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = Authority(key=own, certificate=authority_certificate(own, name="county", issue=issue))
    certificate = broker_certificate(authority, key.public_key(), names=["127.0.0.1"], issue=issue)
    authority_file.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (folder / "own.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "own.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {"certificate_file": str(folder / "own.pem"), "key_file": str(folder / "own.key")}
