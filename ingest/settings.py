"""Ingest's settings: environment variables HEARTHWATCH_..., read once, unknown HEARTHWATCH_INGEST_... are errors."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from vitals.setting_names import PREFIX, refuse_unknown


class IngestSettings(BaseSettings):
    """Each field is an environment variable HEARTHWATCH_<FIELD>; the first five are shared by all services."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True)

    database_dsn: str = "host=127.0.0.1 dbname=hearthwatch"
    """libpq connection string of the database."""
    broker_host: str = "127.0.0.1"
    """Host of the MQTT broker."""
    broker_port: int = Field(default=1883, ge=1, le=65535)
    """Port of the MQTT broker."""
    clock_origin: str = ""
    """Instant (ISO 8601, UTC) from which clinical time runs at `clock_speed`; empty: real time."""
    clock_speed: float = Field(default=1.0, gt=0)
    """How many clinical seconds pass in one of the machine's."""

    ingest_client_id: str = Field(default="hearthwatch-ingest", min_length=1)
    """MQTT client id: the broker keeps unacknowledged messages under this name. One process, one id."""
    ingest_broker_username: str = ""
    """User name at the broker; empty: anonymous."""
    ingest_broker_password: str = ""
    """Password at the broker."""
    ingest_broker_ca_file: Path | None = None
    """Certificate authority of the broker's TLS certificate; empty: no TLS."""
    ingest_broker_certificate_file: Path | None = None
    """Ingest's own certificate, where the broker asks for one; needs the two files beside it."""
    ingest_broker_key_file: Path | None = None
    """The key of that certificate."""
    ingest_session_expiry_s: int = Field(default=7 * 86_400, ge=60, le=2**32 - 2)
    """How long the broker keeps messages while ingest is away."""
    ingest_receive_maximum: int = Field(default=2000, ge=1, le=65535)
    """Messages the broker may send ahead of acknowledgement; at most 64 MiB of them are read before they are stored."""
    ingest_window_ms: int = Field(default=200, ge=0, le=10_000)
    """How long messages are collected before they are stored together."""
    ingest_batch_messages: int = Field(default=2000, ge=1)
    """Messages stored in one transaction, at most."""
    ingest_batch_rows: int = Field(default=400_000, ge=1)
    """Readings after which a batch takes no further message."""
    ingest_retention_days: int = Field(default=90, ge=1)
    """Readings older than this are refused as too_old; a day later raw samples are dropped."""
    ingest_urgent_spo2_below: float = Field(default=90.0, ge=0, le=100)
    """A live SpO2 below this ends the collecting window at once. It decides nothing clinical."""
    ingest_metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of `ingest run` for /metrics, /ready and /healthz, on `ingest_metrics_host`; 0: none of them."""
    ingest_metrics_host: str = "127.0.0.1"
    """Address the metrics are served on."""

    ingest_http_host: str = "127.0.0.1"
    """Address the HTTP intake listens on (`hearthwatch ingest serve`, docs/http-intake.md)."""
    ingest_http_port: int = Field(default=8090, ge=1, le=65535)
    """Port the HTTP intake listens on."""
    ingest_http_certificate_file: Path | None = None
    """TLS certificate of the HTTP intake, with its chain; empty: no TLS, which a proxy before it must then do."""
    ingest_http_key_file: Path | None = None
    """The key of that certificate."""
    ingest_http_writers: int = Field(default=4, ge=1, le=64)
    """Connections to the database, and so requests that are stored at the same time."""
    ingest_http_requests_max: int = Field(default=32, ge=1, le=1000)
    """Requests taken in at the same time, bodies and waiting ones included; the next gets 503 `busy`."""
    ingest_http_connections_max: int = Field(default=500, ge=1)
    """Connections of senders, idle ones included; the next gets a bare 503."""
    ingest_http_body_s: float = Field(default=15.0, gt=0, le=300)
    """How long a body may take to arrive; longer gets 408."""
    ingest_http_patience_s: float = Field(default=8.0, gt=0, le=60)
    """How long trouble with the database, or the wait for one's turn, is borne; longer gets 503."""
    ingest_http_requests_per_s: float = Field(default=20.0, gt=0)
    """Requests a second that one token may make; more get 429."""
    ingest_http_requests_burst: int = Field(default=60, ge=1)
    """Requests that one token may make at once after a pause."""
    ingest_http_metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the HTTP intake's Prometheus metrics on `ingest_metrics_host`; 0: none."""

    ingest_minute_rollup_days: int = Field(default=730, ge=1)
    """How long minute roll-ups are kept; longer than raw samples."""
    ingest_hour_rollup_days: int = Field(default=5_479, ge=1)
    """How long hour roll-ups are kept (15 years); no shorter than minute roll-ups."""
    ingest_rejected_days: int = Field(default=180, ge=1)
    """How long what was put aside is kept."""
    ingest_log_days: int = Field(default=3, ge=1)
    """How long the intake log is kept at least; never trimmed past what a reader still needs."""
    ingest_evidence_margin_minutes: int = Field(default=60, ge=0)
    """Samples so long before and after an episode are kept with it for good."""
    ingest_offline_days: int = Field(default=30, ge=1)
    """The longest time a gateway may be away: nothing younger is compressed (Community edition)."""
    ingest_tend_minutes_every_s: float = Field(default=60.0, gt=0)
    """How often new readings are rolled up to minutes."""
    ingest_tend_hours_every_s: float = Field(default=600.0, gt=0)
    """How often minutes that changed are rolled up to hours."""
    ingest_tend_waiting_every_s: float = Field(default=10.0, gt=0)
    """How often it is looked whether the registry has changed, and readings that waited for it can be lifted."""
    ingest_tend_accounts_every_s: float = Field(default=60.0, gt=0)
    """How often outboxes are added up: what is missing of each, and since when."""
    ingest_tend_retention_every_s: float = Field(default=3_600.0, gt=0)
    """How often it is looked for what is past its time."""
    ingest_tend_packing_every_s: float = Field(default=3_600.0, gt=0)
    """How often the loosest index of a closed day is rebuilt: one at a time, so that the disk rests between."""
    ingest_tend_metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the metrics of `hearthwatch ingest tend`; 0: none."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.ingest_broker_certificate_file and not (self.ingest_broker_ca_file and self.ingest_broker_key_file):
            raise ValueError("ingest_broker_certificate_file needs ingest_broker_ca_file and ingest_broker_key_file")
        if bool(self.ingest_http_certificate_file) != bool(self.ingest_http_key_file):
            raise ValueError("ingest_http_certificate_file and ingest_http_key_file need each other")
        files = (
            self.ingest_broker_ca_file,
            self.ingest_broker_certificate_file,
            self.ingest_broker_key_file,
            self.ingest_http_certificate_file,
            self.ingest_http_key_file,
        )
        for file in files:
            if file and not os.access(file, os.R_OK):
                raise ValueError(f"{file} is not there, or this user may not read it")
        if not self.ingest_retention_days + 2 <= self.ingest_minute_rollup_days <= self.ingest_hour_rollup_days:
            raise ValueError(
                "ingest_minute_rollup_days must be at least ingest_retention_days + 2 and at most"
                " ingest_hour_rollup_days: a roll-up is made anew from what it is made of"
            )
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the process's settings. Raises UnknownSetting, pydantic.ValidationError."""
        refuse_unknown(environment, cls.model_fields, section="INGEST", service="ingest")
        return cls()
