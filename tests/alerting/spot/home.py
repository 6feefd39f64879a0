"""A home with devices that measure now and then, over the ward's own parts."""

from collections.abc import Sequence
from datetime import timedelta

from ingest.tend import rollups
from tests.alerting.ward import T0, Ward
from tests.ingest.county import put
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE
from vitals.signals import SIGNALS, Signal

PATIENT, THERMOMETER, CLIP, CUFF, WELLNESS, METER, PATCH = 3, 13, 21, 22, 23, 24, 25
DEVICES = """
INSERT INTO device (device_id, key, kind, wellness) VALUES
    (21, 'C0:00:00:00:00:15', 'oximeter', false), (22, 'C0:00:00:00:00:16', 'cuff', false),
    (23, 'C0:00:00:00:00:17', 'wearable', true), (24, 'C0:00:00:00:00:18', 'glucose_meter', false),
    (25, 'C0:00:00:00:00:19', 'wearable', false);
INSERT INTO binding (device_id, patient_id, valid)
     SELECT n, 3, '[2020-01-01 00:00+00,)' FROM generate_series(21, 25) n;
UPDATE registry_version SET version = version + 1;
"""

Said = tuple[int, Signal, int | None] | tuple[int, Signal, int | None, Quality, Reason]
"""Seconds since T0, signal, scaled value[, quality, reason]."""


class SpotHome(Ward):
    """Patient 3 has a thermometer, a clip, a cuff, a wellness wearable, a glucose meter and a medical patch."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.connection.execute(DEVICES)
        rollups.prepare(self._ingest)

    def say(self, device: int, said: Sequence[Said], *, acquisition: int = 1, judged: bool = True) -> None:
        """Store what a device says, as received with the last of it or now; then judge it."""
        self.now = max(self.now, T0 + timedelta(seconds=max(each[0] for each in said)))
        ordered = sorted(said, key=lambda each: each[0])
        for first in range(0, len(ordered), 60):
            part = ordered[first : first + 60]
            t0_ms = round(T0.timestamp() * 1000) + part[0][0] * 1000
            message = self._home.message(
                [_row(each, part[0][0]) for each in part],
                devices=[f"C0:00:00:00:00:{3 if device == THERMOMETER else device:02X}"],
                acquisition=acquisition,
                t0_ms=t0_ms,
                unit_ms=1000,
            )
            put(self._ingest, message, received_ms=round(self.now.timestamp() * 1000), registry=self._registry)
        if judged:
            self.judge.catch_up(self.desk)

    def rules(self) -> list[str]:
        """List the rules whose condition holds by single measurements."""
        statement = "SELECT rule FROM active_rule WHERE basis <> 'sustained' ORDER BY rule"
        return [row.rule for row in self.connection.execute(statement).fetchall()]

    def waits(self) -> list[str]:
        """List the rules that wait for a repeat."""
        statement = "SELECT rule FROM pending WHERE basis = 'repeat' ORDER BY rule"
        return [row.rule for row in self.connection.execute(statement).fetchall()]

    def prompts(self) -> list[tuple[str, str]]:
        """List what the household is to be asked, as (reason, rule)."""
        found = self.connection.execute("SELECT reason, rule FROM prompt ORDER BY at, reason, rule").fetchall()
        return [(row.reason, row.rule) for row in found]

    def asked(self) -> list[tuple[str, str]]:
        """List what the household was sent, as (channel, text in English)."""
        statement = "SELECT channel_url, body FROM notice WHERE patient_id = 3 ORDER BY notice_id"
        return [(row.channel_url, row.body.splitlines()[1]) for row in self.connection.execute(statement).fetchall()]

    def sessions(self) -> list[tuple[int, str]]:
        """List the sessions of clips, as (value, status)."""
        found = self.connection.execute("SELECT value, status FROM spot_session ORDER BY started_at").fetchall()
        return [(row.value, row.status) for row in found]

    def roll_up(self) -> None:
        """Make the roll-ups, as `ingest tend` does."""

        while rollups.roll_minutes(self._ingest, self.now).more:
            pass


def _row(said: Said, first_s: int) -> tuple[int, int, int, int, int]:
    at_s, signal, value, *doubt = said
    quality, reason = doubt or (Quality.GOOD, Reason.NONE)
    return at_s - first_s, SIGNALS[signal].code, NO_VALUE if value is None else value, int(quality), int(reason)


def clip(values: Sequence[int], *, begin_s: int = 0) -> list[Said]:
    """Give what a clip streams once a second, until the finger is out."""
    said: list[Said] = [(begin_s + n, Signal.SPO2, value) for n, value in enumerate(values)]
    return [*said, (begin_s + len(values), Signal.SPO2, None, Quality.INVALID, Reason.FINGER_OUT)]
