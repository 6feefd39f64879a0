"""Checks of the registry: somebody to watch over, and somebody to call."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import class_row

from care.duty import on_duty, roster_holes
from care.shifts import Hole
from vitals.finding import Finding, Words, broken, fine, unknown, warning

DUTY_ROLES = ("township_duty", "county_expert")  # whom an unanswered episode is escalated to

AHEAD = timedelta(hours=24)

_COUNTS = """
    SELECT (SELECT count(*) FROM care_patient) AS patients,
           (SELECT count(DISTINCT patient_id) FROM care_binding
             WHERE valid_from <= %(now)s AND (valid_until IS NULL OR valid_until > %(now)s)) AS with_device
"""
_ORGANISATIONS = "SELECT DISTINCT organisation_id, organisation_key FROM care_patient ORDER BY organisation_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the registry holds at an instant."""

    patients: int
    with_device: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmanned:
    """A duty that nobody holds at an organisation or above it."""

    organisation_key: str
    duty_role: str


def registry(dsn: str, now: datetime) -> list[Finding]:
    """Check that there are patients with devices, and people on duty for them."""
    with psycopg.connect(dsn) as db:
        with db.cursor(row_factory=class_row(Counts)) as rows:
            counts = rows.execute(_COUNTS, {"now": now}).fetchone()
        assert counts is not None, "SELECT of scalars gives a row"
        unmanned = [
            Unmanned(organisation_key=key, duty_role=role)
            for organisation_id, key in db.execute(_ORGANISATIONS).fetchall()
            for role in DUTY_ROLES
            if not on_duty(db, organisation_id, role, now)
        ]
        holes = roster_holes(db, now, now + AHEAD, DUTY_ROLES)
    duty = _duty(unmanned, holes) if counts.patients else unknown("duty", because="patients")
    return [_patients(counts), duty]


def _patients(found: Counts) -> Finding:
    if not found.patients:
        return broken(
            "patients",
            en="the registry is empty: every reading will be rejected as unbound",
            zh="登记库为空：所有数据都会因无法归属而被拒收",
            way_out=_load(),
        )
    if not found.with_device:
        return broken(
            "patients",
            en=f"{found.patients} patients, none of whom has a device today",
            zh=f"共 {found.patients} 名患者，目前均未绑定设备",
            way_out=_load(),
        )
    return fine(
        "patients",
        en=f"{found.patients} patients, {found.with_device} of them with a device",
        zh=f"共 {found.patients} 名患者，其中 {found.with_device} 名已绑定设备",
    )


def _duty(unmanned: list[Unmanned], holes: list[Hole]) -> Finding:
    if not unmanned and holes:
        first = holes[0]
        return warning(
            "duty",
            en=f"nobody will be on duty as {first.duty_role} ({first.organisation}) from {first.since:%m-%d %H:%M} UTC",
            zh=f"自 {first.since:%m-%d %H:%M} UTC 起无人值班：{first.duty_role}（{first.organisation}）",
            way_out=_load(),
        )
    if not unmanned:
        return fine("duty", en="somebody is on duty for every patient", zh="每位患者都有值班人员")
    who = ", ".join(f"{each.duty_role} ({each.organisation_key})" for each in unmanned)
    return broken(
        "duty",
        en=f"nobody is on duty now as {who}: what a family doctor leaves unanswered reaches nobody",
        zh=f"当前无人值班：{who}；家庭医生未响应的告警将无人接收",
        way_out=_load(),
    )


def _load() -> Words:
    return Words(
        en="complete the registry file and run: hearthwatch care load FILE",
        zh="请补全登记文件并运行：hearthwatch care load 文件",
    )
