"""Assesses risk colours anew: after the registry was loaded, and as birthdays come. Raises, never lowers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from care.registry import RiskColour, UnderlyingDisease, Vaccination
from care.risk import RiskFacts, age_band, assess, rank_of, recolour
from care.sql import load_queries

_QUERIES = load_queries("care")
MOST = 1000
"""Patients looked at in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recoloured:
    """How many patients were looked at, how many colours were raised, how many somebody should look at."""

    assessed: int = 0
    raised: int = 0
    to_review: int = 0


def recolour_all(connection: psycopg.Connection[Any], *, now: datetime) -> Recoloured:
    """Assess everybody of whom the facts are known, by the day it is where they live; again, it changes nothing.

    The caller tells of the registry's change (`look_at_colours` does).
    """
    total, after = Recoloured(), 0
    while True:
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            patients = cursor.execute(_QUERIES["patients_to_assess"], {"after": after, "most": MOST}).fetchall()
            done = _recolour(connection, patients, now)
        total = Recoloured(
            assessed=total.assessed + len(patients),
            raised=total.raised + done.raised,
            to_review=total.to_review + done.to_review,
        )
        if len(patients) < MOST:
            break
        after = patients[-1]["patient_id"]
    return total


def look_at_colours(connection: psycopg.Connection[Any], *, now: datetime) -> Recoloured:
    """Do so by itself, as days pass, and tell who reads the registry."""
    with connection.transaction():
        connection.execute(_QUERIES["lock_registry"])
        found = recolour_all(connection, now=now)
        if found.raised:
            connection.execute(_QUERIES["bump_registry"])
            connection.execute(_QUERIES["notify_registry"])
    return found


def _recolour(connection: psycopg.Connection[Any], patients: Sequence[dict[str, Any]], now: datetime) -> Recoloured:
    raised = to_review = 0
    for patient in patients:
        today = now.astimezone(ZoneInfo(patient["time_zone"])).date()
        facts = RiskFacts(
            age_band=age_band(patient["born_on"], today),
            disease=UnderlyingDisease(patient["underlying_disease"]),
            vaccination=Vaccination(patient["vaccination"]),
        )
        assessment = assess(facts)
        by_hand, was = RiskColour(patient["risk_colour_set"]), RiskColour(patient["risk_colour"])
        new = recolour(max(by_hand, was, key=rank_of), assessment)
        said = (facts.age_band, facts.disease, facts.vaccination, new.colour, new.review)
        if said == (patient["last_band"], patient["last_disease"], patient["last_vaccination"], was, patient["review"]):
            continue
        raised += new.colour is not was
        to_review += bool(new.review)
        values = {
            "patient_id": patient["patient_id"],
            "now": now,
            "age_band": facts.age_band,
            "underlying_disease": facts.disease,
            "vaccination": facts.vaccination,
            "clause": assessment.clause,
            "points": assessment.points,
            "by_score": assessment.by_score,
            "was": was,
            "colour": new.colour,
            "review": new.review,
        }
        connection.execute(_QUERIES["note_assessment"], values)
    return Recoloured(raised=raised, to_review=to_review)
