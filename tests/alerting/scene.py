"""A ward whose gateways beat, whose devices stream and whose ingest speaks, until the test makes one of them stop."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from alerting.escalation import tick
from alerting.sweep import sweep
from care.sql import load_queries
from ingest.judging.status import read_status
from ingest.store.registry import Registry
from ingest.store.storing import Batch, store
from tests.alerting.ward import T0, Ward
from tests.ingest.county import SPO2, Home, put
from vitals.signals import SIGNALS, Signal

BATTERY = SIGNALS[Signal.BATTERY].code
STEP_S = 5
BEAT_S = 60
WELL = 9700
GATEWAYS = """
UPDATE gateway SET place = 'Ward 1' WHERE gateway_id = 'gw-1';
INSERT INTO gateway (gateway_id, organisation_id, place) VALUES ('gw-2', 2, 'Ward 2'), ('gw-3', 2, 'Ward 3');
INSERT INTO claim (gateway_id, device_id, claimed_at) VALUES
    ('gw-1', 11, '2020-01-01'), ('gw-1', 14, '2020-01-01'), ('gw-2', 12, '2020-01-01'), ('gw-1', 13, '2020-01-01');
UPDATE binding SET entered_at = '2020-01-01';
UPDATE registry_version SET version = version + 1;
"""
_QUERIES = load_queries("ingest")


class Scene(Ward):
    """Patients 1 and 4 (red) by gw-1, patient 2 by gw-2, patient 3 with a thermometer; gw-3 reads nobody.

    `beating` and `streaming` are who is alive; `ingest` is whether it is, `broker` whether it hears one.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.connection.execute(GATEWAYS.encode())
        self.beating: dict[str, dict[str, Any]] = {name: heartbeat() for name in ("gw-1", "gw-2", "gw-3")}
        self.streaming: dict[int, str] = {1: "gw-1", 4: "gw-1", 2: "gw-2"}
        self.ingest = self.broker = True
        self._homes = {name: Home(gateway_id=name) for name in self.beating}
        self._beat_at: dict[str, datetime] = {}
        self._known = Registry()
        self.run(BEAT_S)

    def run(self, seconds: float) -> None:
        """Let time pass in the steps of the sweep: who is alive is heard, then the sweep and the tick look."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.now = min(self.now + timedelta(seconds=STEP_S), until)
            if self.ingest:
                self._word()
                if self.broker:
                    self._hear()
            self.look()

    def later(self, **length: float) -> None:
        """Let a long time pass at once: whoever is alive is heard at its end, then the sweep and the tick look."""
        self.now += timedelta(**length)
        self._beat_at.clear()
        self._word()
        self._hear()
        self.look()

    def look(self) -> None:
        """Sweep and tick now."""
        sweep(self.desk())
        tick(self.desk())

    def says(self, gateway_id: str, document: dict[str, Any], *, retained: bool = False) -> None:
        """Take in a gateway's word as ingest does."""
        at_ms = round(self.now.timestamp() * 1000)
        status = read_status(json.dumps(document).encode(), gateway_id=gateway_id, received_ms=at_ms, retained=retained)
        batch = Batch(now_ms=at_ms, messages=[], refusals=[], statuses=[status])
        store(self._ingest, batch, self._known, retention_days=90)

    def dies(self, gateway_id: str) -> datetime:
        """Let a gateway and all it reads stop, without a word; gives when it last beat."""
        del self.beating[gateway_id]
        self.streaming = {patient: name for patient, name in self.streaming.items() if name != gateway_id}
        return self._beat_at[gateway_id]

    def returns(self, gateway_id: str, *patients: int) -> None:
        """Let a gateway beat again, and these patients' devices stream by it."""
        self._beat_at.pop(gateway_id, None)
        self.beating[gateway_id] = heartbeat()
        self.streaming |= dict.fromkeys(patients, gateway_id)

    def reading(self, device: int | str, signal: int, value: int, **how: Any) -> None:
        """Store one reading of a device, measured now."""
        name = device if isinstance(device, str) else f"C0:00:00:00:00:{device:02X}"
        self.readings(name, [(0, signal, value)], **how)

    def readings(
        self,
        device: str,
        rows: list[tuple[int, int, int]],
        *,
        gateway_id: str = "gw-1",
        acquisition: int = 0,
        **how: Any,
    ) -> None:
        """Store readings (milliseconds before now, signal, scaled value) of a device, received now."""
        now_ms = round(self.now.timestamp() * 1000)
        t0_ms = now_ms - max(before for before, _, _ in rows)
        message = self._homes.setdefault(gateway_id, Home(gateway_id=gateway_id)).message(
            [(now_ms - before - t0_ms, signal, value) for before, signal, value in rows],
            devices=[device], acquisition=acquisition, t0_ms=t0_ms, sent_ms=now_ms, **how,
        )  # fmt: skip
        put(self._ingest, message, gateway_id=gateway_id, received_ms=now_ms, registry=self._known)

    def technical(self, *rules: str) -> list[Any]:
        """List the technical episodes, of these rules if any are named, oldest first."""
        return [e for e in self.episodes() if e.technical and (not rules or e.rule in rules)]

    def open_rules(self) -> list[str]:
        """List the rules of the open technical episodes, sorted."""
        return sorted(e.rule for e in self.technical() if e.state != "closed")

    def _word(self) -> None:
        values = {"process": "ingest", "now": self.now, "every_s": 5.0, "hears": self.broker}
        self._ingest.execute(_QUERIES["say_word"], values)

    def _hear(self) -> None:
        for name, document in self.beating.items():
            beat_at = self._beat_at.get(name)
            if beat_at is None or self.now - beat_at >= timedelta(seconds=BEAT_S):
                self._beat_at[name] = self.now
                self.says(name, document | {"sent_at": self.now.isoformat()})
        for patient, name in self.streaming.items():
            self.readings(
                f"C0:00:00:00:00:{patient:02X}", [(s * 1000, SPO2, WELL) for s in range(STEP_S)], gateway_id=name
            )


def heartbeat(**changes: Any) -> dict[str, Any]:
    """What a gateway that is well says of itself, as far as alarms go by it."""
    adapter = {"name": "hci0", "state": "scanning", "links": 1, "links_max": 5, "last_advertisement_age_s": 0.2}
    whole: dict[str, Any] = {
        "state": "online", "heartbeat_s": BEAT_S, "clock": {"synchronised": True}, "adapters": [adapter],
        "recovery": {"troubles": []}, "outbox": {"depth": 3, "oldest_age_s": 1.0}, "devices": [],
    }  # fmt: skip
    return whole | changes


def after(episode: Any, instant: datetime, *, limit_s: float) -> float:
    """Say how many seconds after its limit, counted from an instant, an alarm was raised."""
    return float((episode.alarmed_at - instant).total_seconds() - limit_s)


def within_10_s(delays: Iterable[float]) -> bool:
    """Whether all came not before their limits, and at most 10 s after."""
    return all(0 <= delay <= 10 for delay in delays)


__all__ = ["BATTERY", "BEAT_S", "SPO2", "T0", "WELL", "Scene", "after", "heartbeat", "within_10_s"]
