"""Who wore a device over time, and what was corrected of that, as the screens show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboards.database import Connection, records, rows
from dashboards.scope import Scope

MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wearer:
    """Who wore a device from when to when (None: without end); without a name where one may not see the patient."""

    valid_from: datetime | None
    valid_until: datetime | None
    in_sight: bool
    key: str | None
    name: str | None
    bed: str | None
    time_zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionShown:
    """A correction and how far it is carried out.

    `moved_at` None: samples are still being moved. `judged_from` later than `since`: what is older is not judged.
    `aside`: of the samples, those that are nobody's or contradict what was there. `closed`: alarms by their numbers.
    """

    correction_id: int
    device_key: str
    kind: str
    since: datetime
    until: datetime | None
    reason: str
    at: datetime
    person_name: str
    person_name_en: str
    of_nobody: bool
    of_key: str | None
    of_name: str | None
    to_nobody: bool
    to_key: str | None
    to_name: str | None
    samples: int
    aside: int
    judged_from: datetime | None
    moved_at: datetime | None
    done_at: datetime | None
    closed: list[int]

    @property
    def too_old_to_judge(self) -> bool:
        """Whether a part of it was moved without being judged."""
        return self.judged_from is not None and self.judged_from > self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device with who wore it and what was corrected, newest first."""

    device_key: str
    kind: str
    wearers: Sequence[Wearer]
    corrections: Sequence[CorrectionShown]


def device_of(connection: Connection, scope: Scope, device: str) -> Device | None:
    """Give a device in scope."""
    found = records(connection, "device_in_scope", organisations=scope, device=device)
    if not found:
        return None
    number = found[0]["device_id"]
    which = {"organisations": scope, "device_id": number, "most": MOST}
    return Device(
        device_key=found[0]["device_key"],
        kind=found[0]["kind"],
        wearers=rows(connection, Wearer, "bindings_of_device", **which),
        corrections=rows(connection, CorrectionShown, "corrections", **which, patient_id=None),
    )


def corrections_about(connection: Connection, scope: Scope, patient_id: int) -> list[CorrectionShown]:
    """List the corrections by which a patient lost or got readings."""
    which = {"organisations": scope, "patient_id": patient_id, "device_id": None, "most": MOST}
    return rows(connection, CorrectionShown, "corrections", **which)
