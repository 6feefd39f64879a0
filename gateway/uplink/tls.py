"""The gateway's certificate in use: when it ends, and a TLS context that names the file that is wrong."""

import ssl
from datetime import datetime
from pathlib import Path

from gateway.uplink.certificate_dates import CertificateError, not_after


class TlsFileError(OSError):
    """A file that TLS needs is missing, unreadable or wrong; the message names it.

    An OSError, as whatever else a connection fails of: who tries again then tries again with the file as it is by then.
    """


def certificate_expiry(path: Path) -> datetime:
    """Answer the last instant at which a certificate (PEM) is valid. Raises TlsFileError."""
    try:
        return not_after(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError, CertificateError) as exc:
        raise TlsFileError(f"{path}: {_why(exc)}") from exc


def certificate_end(path: Path | None) -> datetime | None:
    """Answer the same for who only tells of it: None where there is no certificate, or none that can be read."""
    if path is None:
        return None
    try:
        return certificate_expiry(path)
    except TlsFileError:
        return None


def client_context(ca_file: Path, certificate_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """Make the context with which this gateway meets its broker. Raises TlsFileError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise TlsFileError(f"broker_ca_file {ca_file}: {_why(exc)}") from exc
    if certificate_file is None:
        return context
    for name, file in (("broker_certificate_file", certificate_file), ("broker_key_file", key_file)):
        _check_readable(name, file)
    try:
        context.load_cert_chain(certificate_file, key_file, password="")  # else OpenSSL would ask the terminal
    except ssl.SSLError as exc:
        raise TlsFileError(_which(certificate_file, key_file, exc)) from exc
    return context


def _check_readable(name: str, file: Path | None) -> None:
    """Find the wrong one of two: OpenSSL does not say which."""
    if file is None:
        raise TlsFileError(f"{name} is not set")
    try:
        file.read_bytes()
    except OSError as exc:
        raise TlsFileError(f"{name} {file}: {_why(exc)}") from exc


def _which(certificate_file: Path, key_file: Path | None, error: ssl.SSLError) -> str:
    """Name the wrong one of two that can both be read, or both: OpenSSL does not say which."""
    certificate, key = f"broker_certificate_file {certificate_file}", f"broker_key_file {key_file}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{certificate} and {key}: {_why(error)}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate_file)
    except (OSError, ssl.SSLError) as exc:
        return f"{certificate}: {_why(exc)}"
    return f"{key}: {_why(error)}, or encrypted"


_DAMAGED = "damaged, or not PEM"
_WORDS = {
    "KEY_VALUES_MISMATCH": "the certificate belongs to another key",
    "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate in it",
    "NO_START_LINE": _DAMAGED,
}


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return _WORDS.get(error.reason or "", error.reason or _DAMAGED)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
