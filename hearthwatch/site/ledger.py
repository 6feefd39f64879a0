"""The ledger of a site: every certificate it ever signed, whose, until when, and whether it was revoked (core)."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime

_COLUMNS = ("serial", "gateway_id", "fingerprint", "issued_at", "expires_at", "revoked_at", "why")


class LedgerError(ValueError):
    """The ledger's text is damaged, or does not know what it was asked for; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One certificate; `serial` is hexadecimal as openssl prints it, `fingerprint` names the key."""

    serial: str
    gateway_id: str
    fingerprint: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    why: str = ""

    def is_valid(self, now: datetime) -> bool:
        """Say whether the broker would let its owner in."""
        return self.revoked_at is None and now < self.expires_at


Ledger = tuple[Entry, ...]


def ledger_text(ledger: Iterable[Entry]) -> str:
    """Write the ledger as CSV, which any spreadsheet opens."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in ledger:
        values = (getattr(entry, each.name) for each in fields(Entry))
        writer.writerow([value.isoformat() if isinstance(value, datetime) else value or "" for value in values])
    return out.getvalue()


def parse_ledger(text: str) -> Ledger:
    """Read the ledger. Raises LedgerError, naming the line."""
    rows = csv.reader(io.StringIO(text))
    if tuple(next(rows, ())) != _COLUMNS:
        raise LedgerError(f"line 1 is not: {','.join(_COLUMNS)}")
    return tuple(_entry(row, line) for line, row in enumerate(rows, 2))


def valid_of(ledger: Ledger, gateway_id: str, now: datetime) -> Ledger:
    """Answer a gateway's certificates that the broker takes."""
    return tuple(each for each in ledger if each.gateway_id == gateway_id and each.is_valid(now))


def owner_of(ledger: Ledger, fingerprint: str) -> str | None:
    """Answer which gateway a key was signed for first."""
    return next((each.gateway_id for each in ledger if each.fingerprint == fingerprint), None)


def find(ledger: Ledger, wanted: str, now: datetime) -> Ledger:
    """Answer the certificates to revoke: of a gateway those that are valid, or the one of a serial number."""
    found = [e for e in ledger if e.revoked_at is None and wanted.lower() == e.serial] or valid_of(ledger, wanted, now)
    if not found:
        known = {each.gateway_id for each in ledger} | {each.serial for each in ledger}
        state = "has nothing left to revoke" if wanted in known else "is neither a gateway nor a serial number here"
        raise LedgerError(f"{wanted!r} {state}; hearthwatch site list shows them")
    return tuple(found)


def revoked(ledger: Ledger, entries: Ledger, *, now: datetime, why: str) -> Ledger:
    """Mark entries as revoked."""
    serials = {each.serial for each in entries}
    return tuple(replace(each, revoked_at=now, why=why) if each.serial in serials else each for each in ledger)


def _entry(row: list[str], line: int) -> Entry:
    if len(row) != len(_COLUMNS):
        raise LedgerError(f"line {line} has {len(row)} fields; {len(_COLUMNS)} are wanted")
    serial, gateway_id, fingerprint, issued_at, expires_at, revoked_at, why = row
    if not serial or set(serial) - set("0123456789abcdefABCDEF"):
        raise LedgerError(f"line {line}: {serial!r} is no serial number (hexadecimal)")
    return Entry(
        serial=serial,
        gateway_id=gateway_id,
        fingerprint=fingerprint,
        issued_at=_aware(issued_at, line),
        expires_at=_aware(expires_at, line),
        revoked_at=_aware(revoked_at, line) if revoked_at else None,
        why=why,
    )


def _aware(text: str, line: int) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise LedgerError(f"line {line}: {text!r} is no instant (ISO 8601)") from exc
    if instant.tzinfo is None:
        raise LedgerError(f"line {line}: {text} has no time zone")
    return instant
