"""Which hospitals may be asked to take a patient, as the registry knows them."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from care.referral import Facility
from care.registry import Capability, FacilityRole
from care.sql import load_queries

_QUERIES = load_queries("care")


def facilities_for(connection: psycopg.Connection[Any], organisation_id: int) -> list[Facility]:
    """List all hospitals, with the place each has in the list of the nearest organisation that has one for its role."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERIES["facilities_for"], {"organisation_id": organisation_id}).fetchall()
    return [
        Facility(
            organisation_id=row["facility_id"],
            role=FacilityRole(row["facility_role"]),
            capabilities=frozenset(Capability(each) for each in row["capabilities"]),
            free_beds=row["free_beds"],
            order=row["place"],
        )
        for row in rows
    ]
