"""Reads the registry whole from the database, as its file has it."""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.rows import dict_row

from care.consent import Consent, GivenBy, Purpose
from care.contacts import Contact, Relation
from care.kit import Kit
from care.registry import (
    BindingInterval,
    Capability,
    Device,
    DeviceKind,
    Duty,
    DutyRole,
    FacilityRole,
    Gateway,
    Organisation,
    Patient,
    Person,
    PersonRole,
    Registry,
    RiskColour,
    Route,
    ServiceTier,
    Sex,
    SpecialGroup,
    UnderlyingDisease,
    Vaccination,
)
from care.sql import load_queries
from care.team import Team

_QUERIES = load_queries("care", "registry.sql")


def read_registry(connection: psycopg.Connection[Any]) -> Registry:
    """Read all of it at one instant; passwords as their hashes."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

        def all_of(name: str, kind: Callable[..., Any]) -> tuple[Any, ...]:
            words = _WORDS.get(name, {})
            return tuple(kind(**_typed(row, words)) for row in cursor.execute(_QUERIES[f"all_{name}"]))

        return Registry(
            organisations=all_of("organisations", Organisation),
            people=all_of("people", Person),
            patients=all_of("patients", Patient),
            gateways=all_of("gateways", Gateway),
            devices=all_of("devices", Device),
            bindings=all_of("bindings", BindingInterval),
            duties=all_of("duties", Duty),
            routes=all_of("routes", Route),
            teams=all_of("teams", Team),
            contacts=all_of("contacts", Contact),
            consents=all_of("consents", Consent),
            kits=all_of("kits", Kit),
        )


_WORDS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "organisations": {"facility_role": FacilityRole, "capabilities": Capability},
    "people": {"role": PersonRole, "service_tier": ServiceTier},
    "patients": {
        "sex": Sex,
        "risk_colour": RiskColour,
        "service_tier": ServiceTier,
        "special_groups": SpecialGroup,
        "underlying_disease": UnderlyingDisease,
        "vaccination": Vaccination,
    },
    "devices": {"kind": DeviceKind},
    "duties": {"duty_role": DutyRole},
    "routes": {"facility_role": FacilityRole},
    "contacts": {"relation": Relation},
    "consents": {"purpose": Purpose, "given_by": GivenBy},
}


def _typed(row: dict[str, Any], words: dict[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return {name: _value(value, words.get(name)) for name, value in row.items()}


def _value(value: Any, word: Callable[[Any], Any] | None) -> Any:
    if isinstance(value, list):
        return tuple(value if word is None else (word(item) for item in value))
    return value if word is None or value is None else word(value)
