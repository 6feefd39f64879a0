"""Checks of the registry: somebody to watch over, and somebody to call."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from hearthwatch.doctor.finding import Finding, Words, broken, fine, warning

# Duty is the only table of care read here: it has no published view yet.
_COUNTS = """
    SELECT (SELECT count(*) FROM care_patient) AS patients,
           (SELECT count(DISTINCT patient_id) FROM care_binding
             WHERE valid_from <= %(now)s AND (valid_until IS NULL OR valid_until > %(now)s)) AS with_device,
           ARRAY(SELECT role FROM unnest(ARRAY['township_duty', 'county_expert']) AS role
                  WHERE NOT EXISTS (SELECT FROM duty WHERE duty_role = role AND valid @> %(now)s::timestamptz))
               AS unmanned
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What the registry holds at an instant."""

    patients: int
    with_device: int
    unmanned: list[str]


def registry(dsn: str, now: datetime) -> list[Finding]:
    """Check that there are patients with devices, and people on duty."""
    with psycopg.connect(dsn) as db, db.cursor(row_factory=class_row(Registry)) as rows:
        found = rows.execute(_COUNTS, {"now": now}).fetchone()
    assert found is not None, "SELECT of scalars gives a row"
    return [_patients(found), _duty(found)]


def _patients(found: Registry) -> Finding:
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


def _duty(found: Registry) -> Finding:
    if not found.unmanned:
        return fine("duty", en="township and county have somebody on duty", zh="乡镇和县级均有人值班")
    roles = ", ".join(found.unmanned)
    finding = broken if "county_expert" in found.unmanned else warning
    return finding(
        "duty",
        en=f"nobody is on duty now as {roles}: what a family doctor leaves unanswered reaches nobody",
        zh=f"当前无人值班：{roles}；家庭医生未响应的告警将无人接收",
        way_out=_load(),
    )


def _load() -> Words:
    return Words(
        en="complete the registry file and run: hearthwatch care load FILE",
        zh="请补全登记文件并运行：hearthwatch care load 文件",
    )
