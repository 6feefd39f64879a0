"""The registry as ingest needs it, read again whenever its version has moved: one cheap look a batch."""

from typing import Any

import psycopg

from care.sql import load_queries
from ingest.judging.bindings import Binding, Bindings

_QUERIES = load_queries("ingest")


class Registry:
    """Keeps the bindings last read. Only within the transaction that is going to use them are they sure to be new."""

    def __init__(self) -> None:
        self._bindings: Bindings | None = None

    def read(self, connection: psycopg.Connection[Any]) -> Bindings:
        """Give the bindings of the registry's present version."""
        row = connection.execute(_QUERIES["registry_version"]).fetchone()
        version = row[0] if row else 0
        if self._bindings is None or self._bindings.version != version:
            self._bindings = _read(connection, version)
        return self._bindings


def _read(connection: psycopg.Connection[Any], version: int) -> Bindings:
    lines = connection.execute(_QUERIES["registry_bindings"]).fetchall()
    gateways = connection.execute(_QUERIES["registry_gateways"]).fetchall()
    return Bindings.build(
        version=version,
        gateways=(gateway for gateway, _ in gateways),
        simulators=(gateway for gateway, simulator in gateways if simulator),
        devices=dict(connection.execute(_QUERIES["registry_devices"]).fetchall()),
        bindings=[
            Binding(device_id=device, patient_id=patient, valid_from=since, valid_until=until)
            for device, patient, since, until in lines
        ],
    )
