"""A site's folder: its authority's key, the files its broker and ingest read, the ledger; one writer at a time.

authority.key  ca.pem  site.toml  enrolled.csv
broker/        ca.pem  broker.pem  broker.key  crl.pem      read by Mosquitto
ingest/        ca.pem  ingest.pem  ingest.key               read by ingest
"""

import fcntl
import os
import pwd
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gateway.box.atomic_file import replace_file
from gateway.identity.key import IdentityError, key_fingerprint, key_pem, new_key, parse_key
from hearthwatch.site.certificates import (
    AUTHORITY_DAYS,
    Authority,
    Issue,
    authority_certificate,
    check_broker_name,
    revocation_list,
)
from hearthwatch.site.ledger import Ledger, LedgerError, ledger_text, parse_ledger

FOLDER = Path("/etc/hearthwatch-site")
PORT = 8883
READERS = {"broker": "mosquitto", "ingest": "hearthwatch"}
"""Which user reads the files of each folder; root gives them to it where it exists."""


class SiteError(Exception):
    """A site's folder is not there, damaged or not ours; the message says which file and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How gateways reach the broker; the first host goes into bundles."""

    hosts: tuple[str, ...]
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An opened site; its files are locked while it is."""

    folder: Path
    authority: Authority
    place: Place
    ledger: Ledger

    @property
    def fingerprint(self) -> str:
        """The name of the site's key, which a box shows when it is installed."""
        return key_fingerprint(self.authority.key)

    def record(self, ledger: Ledger) -> None:
        """Write the ledger; on return it is on the disk."""
        _write(self.folder / "enrolled.csv", ledger_text(ledger).encode())

    def publish_revocations(self, ledger: Ledger, now: datetime) -> Path:
        """Write the list of what is revoked, where the broker reads it at its next start."""
        revoked = [(int(each.serial, 16), each.revoked_at) for each in ledger if each.revoked_at is not None]
        crl = revocation_list(self.authority, revoked, number=int(now.timestamp()), now=now)
        return give("broker", self.folder / "broker" / "crl.pem", crl.public_bytes(serialization.Encoding.PEM))

    def certificate(self, name: str) -> x509.Certificate:
        """Read a certificate of the site: ca.pem, broker/broker.pem, ingest/ingest.pem."""
        return read_certificate(self.folder / name)


@contextmanager
def opened(folder: Path) -> Iterator[Site]:
    """Open a site and lock it. Raises SiteError, OSError."""
    if not (folder / "authority.key").exists():
        raise SiteError(f"{folder} is no site: hearthwatch site init {folder} --broker-host NAME makes it one")
    with _locked(folder):
        yield _read(folder)


@contextmanager
def founded(folder: Path, place: Place, now: datetime) -> Iterator[Site]:
    """Make a site, or open it with another place of its broker. Raises SiteError, CertificateError, OSError."""
    for host in place.hosts:
        check_broker_name(host)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _locked(folder):
        if not (folder / "authority.key").exists():
            _found(folder, place, now)
        _write_place(folder, place)
        yield _read(folder)


def known_place(folder: Path) -> Place | None:
    """Read where the broker of a site is, if the folder is one. Raises SiteError."""
    file = folder / "site.toml"
    if not file.exists():
        return None
    try:
        document = tomllib.loads(file.read_text())
        return Place(hosts=tuple(map(str, document["broker_hosts"])), port=int(document["broker_port"]))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as exc:
        raise SiteError(f"{file}: {exc}; correct it: broker_hosts is a list of names, broker_port a number") from exc


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Write a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _found(folder: Path, place: Place, now: datetime) -> None:
    if not place.hosts:
        raise SiteError("a new site needs --broker-host: the name or address under which gateways reach the broker")
    key = new_key()
    drawn = Issue(serial=x509.random_serial_number(), now=now, days=AUTHORITY_DAYS)
    certificate = authority_certificate(key, name=f"hearthwatch site {place.hosts[0]}"[:64], issue=drawn)
    _write(folder / "enrolled.csv", ledger_text(()).encode())
    _write(folder / "ca.pem", certificate_pem(certificate))
    _write(folder / "authority.key", key_pem(key), mode=0o600)  # last: with it the folder is a site


def _read(folder: Path) -> Site:
    place = known_place(folder)
    if place is None:
        raise SiteError(f"{folder / 'site.toml'} is not there: run hearthwatch site init {folder} again")
    try:
        key = parse_key((folder / "authority.key").read_bytes())
    except IdentityError as exc:
        raise SiteError(f"{folder / 'authority.key'}: {exc}; restore it from your backup") from exc
    certificate = read_certificate(folder / "ca.pem")
    if certificate.public_key() != key.public_key():
        raise SiteError(f"{folder}: ca.pem and authority.key do not belong together; restore them from your backup")
    try:
        ledger = parse_ledger((folder / "enrolled.csv").read_text())
    except UnicodeDecodeError as exc:
        raise SiteError(f"{folder / 'enrolled.csv'}: it is no text (UTF-8); restore it from your backup") from exc
    except LedgerError as exc:
        raise SiteError(f"{folder / 'enrolled.csv'}: {exc}; correct it, or restore it from your backup") from exc
    return Site(folder=folder, authority=Authority(key=key, certificate=certificate), place=place, ledger=ledger)


def read_certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError as exc:
        raise SiteError(f"{file} is no certificate in PEM; restore it from your backup") from exc


def _write_place(folder: Path, place: Place) -> None:
    hosts = ", ".join(f'"{host}"' for host in place.hosts)
    _write(folder / "site.toml", f"broker_hosts = [{hosts}]\nbroker_port = {place.port}\n".encode())


def give(reader: str, file: Path, text: bytes, *, mode: int = 0o644) -> Path:
    """Write a file that belongs to a server's user; its folder is for that user and root."""
    owner = _user(READERS[reader])
    if not file.parent.exists():
        file.parent.mkdir(mode=0o750)
    if owner is not None:
        os.chown(file.parent, *owner)
    replace_file(file, text, durable=True, mode=mode, owner=owner)
    return file


def _user(name: str) -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return None
    return user.pw_uid, user.pw_gid


def _write(file: Path, text: bytes, *, mode: int = 0o644) -> None:
    replace_file(file, text, durable=True, mode=mode)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
