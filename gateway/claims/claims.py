"""Which devices a gateway reads and who said so: its settings, the centre, a technician on the spot.

The centre says it in the retained config document (docs/wire-format.md), a technician with `gateway devices claim`.
Both lists lie in one book (claims.json beside the outbox), so that they hold offline and after a restart.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

DEVICES_MAX = 64
"""Devices of one list at most: a config document, a technician's own claims."""
_ADDRESS = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")
_DRIVER = re.compile(r"[a-z0-9_]{1,64}")


class ClaimedBy(StrEnum):
    """Who wants a device read; ALL: every health device in reach is."""

    SETTINGS = "settings"
    CENTRE = "centre"
    TECHNICIAN = "technician"
    ALL = "all"


class ClaimError(ValueError):
    """A device can not be claimed or released; the message names it and why."""


class ConfigError(ValueError):
    """A config document can not be read; the message names the offending value. The former claims stand."""


class BookError(ValueError):
    """The book of claims can not be read; the message names the offending value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One device to read; `driver` None: chosen by what the device shows of itself."""

    address: str
    driver: str | None = None
    claimed_by: ClaimedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the centre wants read; it replaces all that the centre wanted before."""

    issued_at: datetime
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What a gateway remembers: the newest config, when it first came, and a technician's own claims."""

    config: Config | None = None
    received_at: datetime | None = None
    technician: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The devices to read, each once; `left_out` are those beyond the bound."""

    claims: tuple[Claim, ...]
    left_out: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimReport:
    """What the gateway says of its claims: how many devices it reads, what it has of the centre, what went wrong."""

    devices: int = 0
    left_out: int = 0
    issued_at: datetime | None = None
    received_at: datetime | None = None
    refused: str | None = None
    set_aside: int = 0


def parse_address(text: str) -> str:
    """Give a Bluetooth address in upper case. Raises ClaimError."""
    address = text.strip().upper()
    if not _ADDRESS.fullmatch(address):
        raise ClaimError(f"{text[:40]!r} is no Bluetooth address (AA:BB:CC:DD:EE:FF)")
    return address


def parse_config(payload: bytes) -> Config:
    """Read a config document; unknown keys are passed over. Raises ConfigError on anything else."""
    try:
        return _config(_object(json.loads(payload), "config"))
    except (ClaimError, _Malformed) as exc:
        raise ConfigError(str(exc)) from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"config is not JSON: {str(exc)[:200]}") from exc


def merged(*lists: Iterable[Claim], devices_max: int) -> Merged:
    """Put lists together: who claims first counts, the first driver that is named is taken, the bound cuts the end."""
    found: dict[str, Claim] = {}
    for claim in (claim for claims in lists for claim in claims):
        known = found.setdefault(claim.address, claim)
        if known.driver is None and claim.driver is not None:
            found[claim.address] = replace(known, driver=claim.driver)
    claims = tuple(found.values())
    return Merged(claims=claims[:devices_max], left_out=claims[devices_max:])


def all_claims(settings: Iterable[str], book: Book, *, devices_max: int) -> Merged:
    """Put together what is to be read: the settings' devices, then the centre's, then a technician's."""
    named = (Claim(address=address, claimed_by=ClaimedBy.SETTINGS) for address in settings)
    centre = book.config.claims if book.config else ()
    return merged(named, centre, book.technician, devices_max=devices_max)


def with_config(book: Book, config: Config, received_at: datetime) -> Book:
    """Replace what the centre wants; a document that came before leaves the book as it is."""
    if book.config == config:
        return book
    return replace(book, config=config, received_at=received_at)


def with_claim(book: Book, address: str, driver: str | None) -> Book:
    """Add a technician's claim, or give it another driver. Raises ClaimError at the bound."""
    others = tuple(claim for claim in book.technician if claim.address != address)
    if len(others) >= DEVICES_MAX:
        raise ClaimError(f"{address} not claimed: {DEVICES_MAX} devices are claimed here already")
    claim = Claim(address=address, driver=driver, claimed_by=ClaimedBy.TECHNICIAN)
    return replace(book, technician=(*others, claim))


def without_claim(book: Book, address: str) -> Book:
    """Take a technician's claim back. Raises ClaimError where there is none, and says who claims the device."""
    if any(claim.address == address for claim in book.technician):
        return replace(book, technician=tuple(claim for claim in book.technician if claim.address != address))
    if book.config and any(claim.address == address for claim in book.config.claims):
        raise ClaimError(f"{address} is claimed by the centre: release it in the console")
    raise ClaimError(f"{address} is not claimed here")


def parse_book(text: bytes) -> Book:
    """Read the book. Raises BookError."""
    try:
        document = _object(json.loads(text), "book")
        config = document.get("config")
        return Book(
            config=None if config is None else _config(_object(config, "config")),
            received_at=None if document.get("received_at") is None else _instant(document, "received_at"),
            technician=_claims(document, "technician", ClaimedBy.TECHNICIAN),
        )
    except (ClaimError, _Malformed) as exc:
        raise BookError(str(exc)) from exc
    except (ValueError, RecursionError) as exc:
        raise BookError(f"not JSON: {str(exc)[:200]}") from exc


def book_text(book: Book) -> bytes:
    """Write the book."""
    config = book.config
    document = {
        "config": config and {"issued_at": config.issued_at.isoformat(), "devices": _entries(config.claims)},
        "received_at": book.received_at and book.received_at.isoformat(),
        "technician": _entries(book.technician),
    }
    return json.dumps(document, indent=1).encode() + b"\n"


class _Malformed(ValueError):
    """A value of a document is missing or of the wrong type."""


def _config(document: Mapping[str, Any]) -> Config:
    return Config(issued_at=_instant(document, "issued_at"), claims=_claims(document, "devices", ClaimedBy.CENTRE))


def _claims(document: Mapping[str, Any], name: str, by: ClaimedBy) -> tuple[Claim, ...]:
    entries = document.get(name)
    if not isinstance(entries, list):
        raise _Malformed(f"{name}: {_shown(entries)} is no list")
    if len(entries) > DEVICES_MAX:
        raise _Malformed(f"{name}: {len(entries)} devices, at most {DEVICES_MAX}")
    claims = tuple(_claim(_object(entry, f"{name}[{n}]"), f"{name}[{n}]", by) for n, entry in enumerate(entries))
    if len({claim.address for claim in claims}) < len(claims):
        addresses = [claim.address for claim in claims]
        twice = next(address for address in addresses if addresses.count(address) > 1)
        raise _Malformed(f"{name}: {twice} is named twice")
    return claims


def _claim(entry: Mapping[str, Any], place: str, by: ClaimedBy) -> Claim:
    address, driver = entry.get("address"), entry.get("driver")
    if not isinstance(address, str):
        raise _Malformed(f"{place}.address: {_shown(address)} is no string")
    if driver is not None and not (isinstance(driver, str) and _DRIVER.fullmatch(driver)):
        raise _Malformed(f"{place}.driver: {_shown(driver)} is no driver's name")
    return Claim(address=parse_address(address), driver=driver, claimed_by=by)


def _instant(document: Mapping[str, Any], name: str) -> datetime:
    value = document.get(name)
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise _Malformed(f"{name}: {_shown(value)} is no instant with its offset")
    return instant


def _object(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Malformed(f"{place}: {_shown(value)} is no object")
    return value


def _shown(value: object) -> str:
    return repr(value)[:80]


def _entries(claims: Iterable[Claim]) -> list[dict[str, str | None]]:
    return [{"address": claim.address, "driver": claim.driver} for claim in claims]
