"""Whom to ask about a patient beside himself: kin, neighbours, carers, in order (core)."""

from dataclasses import dataclass
from enum import StrEnum

CONTACTS_MAX = 20
"""Of one patient."""


class Relation(StrEnum):
    """What somebody is to a patient (the groups of GB/T 4761, and who else helps)."""

    SPOUSE = "spouse"
    CHILD = "child"
    GRANDCHILD = "grandchild"
    PARENT = "parent"
    GRANDPARENT = "grandparent"
    SIBLING = "sibling"
    NEIGHBOUR = "neighbour"
    CARER = "carer"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Somebody to ask. `may_be_told`: the patient wants him to hear of his health; `lives_with`: in one household."""

    patient: str
    name: str
    relation: Relation
    phone: str
    channels: tuple[str, ...]
    may_be_told: bool
    lives_with: bool
