"""Watches the demo's database and pager, and tells each milestone once, in the order it happened."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from hearthwatch.demo.stage import Stage

_CONNECTED = """
    SELECT received_at AS at, gateway_id AS gateway FROM gateway_status WHERE online
"""
_STORED = """
    SELECT min(s.received_at) AS at, p.key AS patient FROM latest s JOIN patient p USING (patient_id)
     GROUP BY p.key ORDER BY 1
"""
_EVENTS = """
    SELECT v.event_id, v.at, v.kind, v.detail, v.to_state, e.episode_id, e.rule, e.priority, e.step, e.service_tier,
           p.key AS patient, a.name AS person, a.service_tier AS person_tier
      FROM episode_event v JOIN episode e USING (episode_id) JOIN patient p USING (patient_id)
      LEFT JOIN person a ON a.person_id = v.actor_id
     WHERE v.event_id > %s ORDER BY v.event_id
"""
_NOTICE = """
    SELECT n.episode_id, n.recipient AS person, n.service_tier, n.step, n.created_at AS at, n.attempts,
           e.rule, p.key AS patient
      FROM notice n LEFT JOIN episode e USING (episode_id)
      JOIN patient p ON p.patient_id = COALESCE(e.patient_id, n.patient_id) WHERE n.key = %s
"""
_KINDS = {
    "raised": "episode_raised",
    "raised_anew": "episode_raised",
    "deadline": "escalated",
    "acknowledged": "acknowledged",
    "cause_ended": "closed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Something that happened, at a simulated second."""

    t_s: float
    name: str
    fields: dict[str, Any]

    def as_line(self) -> dict[str, Any]:
        """Give it as the JSON line the demo prints."""
        return {"t_s": round(self.t_s, 1), "milestone": self.name, **self.fields}


@dataclass(slots=True)
class Watch:
    """What has been told so far; `news` gives the rest. A database that is away is asked again next time."""

    stage: Stage
    last_event: int = 0
    connected: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    keys: dict[str, int] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)

    def news(self) -> list[Milestone]:
        """Give what happened since the last call."""
        self.unmatched += [received.key for received in self.stage.pager.take()]
        try:
            with psycopg.connect(self.stage.dsn, row_factory=dict_row, connect_timeout=3) as connection:
                return [*self._progress(connection), *self._events(connection), *self._notices(connection)]
        except psycopg.OperationalError:
            return []

    def _progress(self, connection: psycopg.Connection[dict[str, Any]]) -> Iterator[Milestone]:
        for row in connection.execute(_CONNECTED).fetchall():
            if row["gateway"] not in self.connected:
                self.connected.add(row["gateway"])
                yield self._tell(row.pop("at"), "gateway_connected", row)
        for row in connection.execute(_STORED).fetchall():
            if row["patient"] not in self.stored:
                self.stored.add(row["patient"])
                yield self._tell(row.pop("at"), "reading_stored", row)

    def _events(self, connection: psycopg.Connection[dict[str, Any]]) -> Iterator[Milestone]:
        for row in connection.execute(_EVENTS, (self.last_event,)).fetchall():
            self.last_event = row["event_id"]
            said = {"episode": row["episode_id"], "rule": row["rule"], "patient": row["patient"]}
            kind = _KINDS.get(row["kind"])
            if row["kind"] == "decided":
                closes = row["to_state"] == "closed"
                person = {"person": row["person"], "service_tier": row["person_tier"]}
                act = {"decision": row["detail"]["act"]}
                yield self._tell(row["at"], "closed" if closes else "decided", said | person | act)
            elif row["kind"] == "referral":
                step = {"stage": row["detail"]["stage"], "event": row["detail"]["event"], "person": row["person"]}
                yield self._tell(row["at"], "referral", said | step)
            elif kind == "episode_raised":
                more = {"rule": row["detail"]["rule"], "since": row["detail"]["since"]}
                if row["kind"] == "raised_anew":
                    more["anew"] = True
                yield self._tell(row["at"], kind, said | more)
            elif kind == "escalated":
                due = datetime.fromisoformat(row["detail"]["due_at"])
                late_s = round((row["at"] - due).total_seconds(), 1)
                yield self._tell(row["at"], kind, said | {"step": row["detail"]["step"], "late_s": late_s})
            elif kind == "acknowledged":
                person = {"person": row["person"], "service_tier": row["person_tier"]}
                yield self._tell(row["at"], kind, said | person)
            elif kind:
                yield self._tell(row["at"], kind, said)

    def _notices(self, connection: psycopg.Connection[dict[str, Any]]) -> Iterator[Milestone]:
        for key in list(self.unmatched):
            row = connection.execute(_NOTICE, (key,)).fetchone()
            if row is None:
                continue
            self.unmatched.remove(key)
            self.keys[key] = self.keys.get(key, 0) + 1
            if self.keys[key] > 1:
                continue
            if row["episode_id"] is None:
                yield self._tell(row["at"], "asked", {"patient": row["patient"], "person": row["person"]})
                continue
            said = {"episode": row["episode_id"], "rule": row["rule"], "patient": row["patient"]}
            to = {"service_tier": row["service_tier"], "person": row["person"], "step": row["step"]}
            yield self._tell(row["at"], "notified", said | to)

    def _tell(self, at: datetime, name: str, fields: dict[str, Any]) -> Milestone:
        t_s = max(0.0, (at - self.stage.clock.origin).total_seconds())
        return Milestone(t_s=t_s, name=name, fields=fields)
