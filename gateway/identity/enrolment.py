"""A box gets its identity: a key that never leaves it, a request to carry to the site, a bundle to carry back.

Files: gateway.key (0600), ID.csr, gateway.pem, site-ca.pem, gateway.toml; as root they go to the folder's owner. Each
is replaced whole and the settings last, so an install that is cut off is run again and nothing else.
"""

import os
import stat
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.box.atomic_file import replace_file
from gateway.identity.bundle import Bundle, BundleError, check_gateway_id, parse_bundle
from gateway.identity.settings_text import SettingsTextError, with_values
from gateway.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from gateway.identity.key import Key

FOLDER = Path("/etc/hearthwatch")
STATE = Path("/var/lib/hearthwatch")
STATUS_IN_MEMORY = Path("/run/hearthwatch/status.json")
"""Where the service's unit keeps the last status: it is written every few seconds, which would wear a card."""
_KEY_MODE, _SETTINGS_MODE, _FOLDER_MODE = 0o600, 0o640, 0o750


class EnrolmentError(Exception):
    """A box can not be enrolled like this; the message says why and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """A request lies ready to be carried to the site."""

    request_file: Path
    key_file: Path
    is_new_key: bool
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A bundle is installed."""

    gateway_id: str
    settings_file: Path
    broker: str
    expires_at: datetime
    authority_fingerprint: str


def request(folder: Path, gateway_id: str) -> Requested:
    """Make the box's key, unless it is there, and a request for its certificate. Raises EnrolmentError, OSError."""
    from gateway.identity import key as identity

    try:
        check_gateway_id(gateway_id)
    except BundleError as exc:
        raise EnrolmentError(str(exc)) from exc
    _check_same_gateway(folder, gateway_id)
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    key_file = folder / "gateway.key"
    is_new = not key_file.exists()
    if is_new:
        _replace(key_file, identity.key_pem(identity.new_key()), mode=_KEY_MODE)
    key = _read_key(key_file)
    request_file = folder / f"{gateway_id}.csr"
    _replace(request_file, identity.request_pem(key, gateway_id), mode=0o644)
    return Requested(
        request_file=request_file, key_file=key_file, is_new_key=is_new, fingerprint=identity.key_fingerprint(key)
    )


def install(folder: Path, bundle_file: Path, *, state: Path, now: datetime) -> Installed:
    """Put a bundle in its place and the settings with it. Raises EnrolmentError, OSError."""
    from gateway.identity import key as identity

    bundle = _read_bundle(bundle_file)
    _check_same_gateway(folder, bundle.gateway_id)
    key_file = folder / "gateway.key"
    if not key_file.exists():
        raise EnrolmentError(
            f"{key_file} is not there: make this box's key and request first: "
            f"hearthwatch gateway enrol --gateway-id {bundle.gateway_id}"
        )
    try:
        expires_at = identity.check_bundle(bundle, _read_key(key_file), now)
        authority = identity.authority_fingerprint(bundle)
    except identity.IdentityError as exc:
        raise EnrolmentError(f"{bundle_file}: {exc}") from exc
    settings_file = folder / "gateway.toml"
    text = _settings_text(settings_file, bundle, state)
    _check_settings(settings_file, text)
    _replace(folder / "site-ca.pem", bundle.authority.encode(), mode=0o644)
    _replace(folder / "gateway.pem", bundle.certificate.encode(), mode=0o644)
    _replace(settings_file, text.encode(), mode=_SETTINGS_MODE)
    return Installed(
        gateway_id=bundle.gateway_id,
        settings_file=settings_file,
        broker=f"{bundle.broker_host}:{bundle.broker_port}",
        expires_at=expires_at,
        authority_fingerprint=authority,
    )


def _check_same_gateway(folder: Path, gateway_id: str) -> None:
    present = _settings(folder / "gateway.toml").get("gateway_id")
    if present is not None and present != gateway_id:
        raise EnrolmentError(
            f"this box is {present!r} already, by {folder / 'gateway.toml'}; to make it {gateway_id!r}, "
            "first send off what lies in its outbox, then remove that file and gateway.key"
        )


def _read_bundle(file: Path) -> Bundle:
    try:
        return parse_bundle(file.read_text(encoding="utf-8"))
    except (BundleError, UnicodeDecodeError) as exc:
        raise EnrolmentError(f"{file} is no enrolment bundle: {exc}") from exc


def _read_key(file: Path) -> "Key":
    from gateway.identity import key as identity

    if stat.S_IMODE(file.stat().st_mode) != _KEY_MODE:
        file.chmod(_KEY_MODE)
    try:
        return identity.parse_key(file.read_bytes())
    except identity.IdentityError as exc:
        raise EnrolmentError(f"{file}: {exc}; remove it and enrol this box anew") from exc


def _settings_text(file: Path, bundle: Bundle, state: Path) -> str:
    folder = file.parent.absolute()
    values: dict[str, str | int] = {
        "gateway_id": bundle.gateway_id,
        "broker_host": bundle.broker_host,
        "broker_port": bundle.broker_port,
        "broker_ca_file": str(folder / "site-ca.pem"),
        "broker_certificate_file": str(folder / "gateway.pem"),
        "broker_key_file": str(folder / "gateway.key"),
    }
    present = _settings(file)
    if "outbox_path" not in present:
        values["outbox_path"] = str(state.absolute() / "outbox.sqlite")
    if "status_file" not in present and state == STATE:
        values["status_file"] = str(STATUS_IN_MEMORY)
    try:
        return with_values(file.read_text(encoding="utf-8") if file.exists() else "", values)
    except SettingsTextError as exc:
        raise EnrolmentError(f"{file}: {exc}") from exc


def _check_settings(file: Path, text: str) -> None:
    """Let the gateway read the new settings before they stand in the old ones' place."""
    trial = file.with_name(".gateway.toml.trial")
    _replace(trial, text.encode(), mode=_SETTINGS_MODE)
    try:
        load_settings(trial)
    except SettingsError as exc:
        raise EnrolmentError(f"{file} would not be readable: {exc}; correct it first") from exc
    finally:
        trial.unlink(missing_ok=True)


def _settings(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise EnrolmentError(f"{file} is not TOML: {exc}; correct it or remove it") from exc


def _replace(path: Path, text: bytes, *, mode: int) -> None:
    """Write one file; root gives it to whom the folder belongs: the service's user."""
    folder = path.parent.stat()
    owner = (folder.st_uid, folder.st_gid) if os.geteuid() == 0 else None
    replace_file(path, text, durable=True, mode=mode, owner=owner)
