"""Brings the registry to what a CSV sheet says: the rows that it has, and nothing else."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg

from care.exporting import read_registry
from care.loading import Loaded, load
from care.registry import Registry
from care.registry_csv import Kind, parse_sheet


def read_sheet(connection: psycopg.Connection[Any], raw: bytes, kind: Kind) -> Registry:
    """Read a sheet against the registry as it stands. Raises SheetError."""
    known = read_registry(connection)
    return _completed(parse_sheet(raw, kind, known), known)


def import_sheet(connection: psycopg.Connection[Any], raw: bytes, kind: Kind, *, now: datetime) -> Loaded:
    """Enter and change what a sheet has, in one transaction; again, nothing changes. Raises SheetError, ClaimRefused.

    What it does not name stays as it is; of a device that a sheet of bindings names, it has all of them.
    """
    return load(connection, read_sheet(connection, raw, kind), now=now)


def _completed(part: Registry, known: Registry) -> Registry:
    """Add what `load` takes for left out: the passwords of people, the devices of bindings, the bindings of devices."""
    hashes = {person.key: person.password_hash for person in known.people}
    bound = {binding.device for binding in part.bindings}
    worn = {device.key for device in part.devices if not device.shared}
    return replace(
        part,
        people=tuple(replace(person, password_hash=hashes.get(person.key)) for person in part.people),
        devices=part.devices + tuple(each for each in known.devices if each.key in bound),
        bindings=part.bindings + tuple(each for each in known.bindings if each.device in worn),
    )
