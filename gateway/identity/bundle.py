"""What travels between a box and its site as files: the key's fingerprint there, the bundle back (core)."""

import hashlib
import tomllib
from dataclasses import dataclass
from typing import Any

from vitals.topics import Leaf, TopicError, topic

VERSION = 1
_TEXTS = ("gateway_id", "broker_host", "certificate", "authority")
_NUMBERS = ("hearthwatch_bundle", "broker_port")
_PORT_MAX = 65535


class BundleError(ValueError):
    """A text is no enrolment bundle; the message names what is missing or wrong in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One gateway's certificate, who signed it, and where its broker is; certificates are PEM."""

    gateway_id: str
    broker_host: str
    broker_port: int
    certificate: str
    authority: str


def bundle_text(bundle: Bundle) -> str:
    """Write a bundle as TOML; nothing in it is secret."""
    return (
        "# An enrolment bundle. Install it on its box:  hearthwatch gateway enrol --install THIS-FILE\n"
        f"hearthwatch_bundle = {VERSION}\n"
        f'gateway_id = "{bundle.gateway_id}"\n'
        f'broker_host = "{bundle.broker_host}"\n'
        f"broker_port = {bundle.broker_port}\n"
        f"certificate = '''\n{bundle.certificate.strip()}\n'''\n"
        f"authority = '''\n{bundle.authority.strip()}\n'''\n"
    )


def parse_bundle(text: str) -> Bundle:
    """Read a bundle; its certificates are not looked into. Raises BundleError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise BundleError(f"not TOML: {exc}") from exc
    values: dict[str, Any] = {name: _typed(document, name, str) for name in _TEXTS}
    values |= {name: _typed(document, name, int) for name in _NUMBERS}
    version = values.pop("hearthwatch_bundle")
    if version != VERSION:
        raise BundleError(f"hearthwatch_bundle is {version}; this program reads {VERSION}: update it")
    if not 1 <= values["broker_port"] <= _PORT_MAX:
        raise BundleError(f"broker_port is {values['broker_port']}")
    check_gateway_id(values["gateway_id"])
    return Bundle(**values)


def check_gateway_id(gateway_id: str) -> None:
    """Pass where the id may stand in a topic and in a certificate. Raises BundleError."""
    try:
        topic(gateway_id, Leaf.STATUS)
    except TopicError as exc:
        raise BundleError(str(exc)) from exc
    if gateway_id == "+":
        raise BundleError("gateway id '+' is a wildcard")


def fingerprint(public_key_der: bytes) -> str:
    """Give a public key (SubjectPublicKeyInfo, RFC 5280) a name that two people can compare by voice."""
    digest = hashlib.sha256(public_key_der).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def _typed(document: dict[str, Any], name: str, kind: type) -> Any:
    if name not in document:
        raise BundleError(f"{name} is missing")
    value = document[name]
    if type(value) is not kind or value == "":
        raise BundleError(f"{name} is {value!r}")
    return value
