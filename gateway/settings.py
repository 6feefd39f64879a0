"""The gateway's settings: one frozen class, read once, from the environment and a TOML file; unknown keys are errors.

Environment: HEARTHWATCH_GATEWAY_<NAME>, lists and tables as JSON. The environment wins over the file. A plain pydantic
model, unlike the other rooms': pydantic_settings loads its readers of other sources, 1.5 MB of a small box's memory.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from gateway.alarm.settings import LocalAlarmSettings
from gateway.box.machine import ClockTrust
from gateway.settings_words import in_words
from vitals.reading import ScaleError, scaled
from vitals.signals import Signal
from vitals.topics import Leaf, TopicError, topic

PREFIX = "HEARTHWATCH_GATEWAY_"
CONFIG = f"{PREFIX}CONFIG"
"""The environment variable that names the settings file where no --config does."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SettingsError(ValueError):
    """A setting is unknown, missing or wrong; the message names it."""


class GatewaySettings(BaseModel):
    """Everything that can be set on a gateway."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    gateway_id: str = Field(description="this gateway's name: in its topics, its MQTT client id, its certificate")
    broker_host: str = Field(default="localhost", description="the MQTT broker's host name or address")
    broker_port: int = Field(default=1883, ge=1, le=65535, description="the MQTT broker's port")
    broker_username: str = Field(default="", description="MQTT user name; empty for none")
    broker_password: SecretStr = Field(default=SecretStr(""), description="MQTT password")
    broker_ca_file: Path | None = Field(default=None, description="the broker's CA (PEM); switches TLS on")
    broker_certificate_file: Path | None = Field(default=None, description="the gateway's client certificate (PEM)")
    broker_key_file: Path | None = Field(default=None, description="the key of that certificate (PEM)")
    broker_keepalive_s: int = Field(default=30, ge=5, le=600, description="MQTT keep-alive, machine seconds")
    broker_session_expiry_s: int = Field(
        default=3600, ge=0, le=0xFFFFFFFF, description="how long the broker keeps acknowledgements for us, machine s"
    )
    reconnect_s_max: int = Field(default=30, ge=1, le=600, description="longest pause between connects, machine s")
    in_flight_max: int = Field(default=8, ge=2, le=64, description="messages that wait for ingest's word at one time")
    batch_rows_max: int = Field(default=2000, ge=1, le=20_000, description="readings in one message at most")
    flush_s: Positive = Field(default=10, description="a message at least this often while there is data, clinical s")
    resend_s_min: Positive = Field(default=5, description="silence of ingest before sending again, machine s")
    resend_s_max: Positive = Field(default=60, description="bound of that silence as it doubles, machine s")
    heartbeat_s: Positive = Field(default=60, description="between two status messages, clinical s")
    urgent_spo2_below: float = Field(default=90, description="a good SpO2 below this (%) is sent at once")
    urgent_temperature_from: float = Field(
        default=39.0, description="a good temperature from this (°C) is sent at once"
    )
    outbox_path: Path = Field(default=Path("outbox.sqlite"), description="the outbox file")
    outbox_bytes_max: int = Field(
        default=512 * 1024 * 1024,
        ge=256 * 1024,
        description="bound of the outbox; then rows are thinned, docs/outbox.md",
    )
    status_file: Path | None = Field(
        default=None,
        description="the last status, for `gateway devices`; default: status.json beside the outbox. It is written "
        "every 10 s: on a card, name a place in memory (/run)",
    )
    undecoded_max: int = Field(default=1000, ge=1, le=100_000, description="undecodable notifications kept at most")
    devices: tuple[str, ...] = Field(default=(), description="Bluetooth addresses of the devices to read")
    claim_all: bool = Field(default=False, description="read every health device in reach (demo, tests)")
    devices_max: int = Field(default=32, ge=1, le=255, description="devices read at most")
    adapters: tuple[str, ...] = Field(
        default=(), description='Bluetooth adapters, as ["hci0", "hci1"]; empty for the first there is'
    )
    links_max: int = Field(default=5, ge=1, le=16, description="live links per adapter at most: what its chip carries")
    share_s: Positive = Field(
        default=60, description="a streaming device's share of a link, at least, while another waits, machine s"
    )
    reboot_allowed: bool = Field(
        default=False, description="reboot as the last rung of recovery: once a day at most, nothing accepted is lost"
    )
    connect_s_max: Positive = Field(default=20, le=30, description="a connect takes at most this, machine s")
    stream_silence_s: Positive = Field(default=45, description="a streaming device's silent link is dead, clinical s")
    spot_silence_s: Positive = Field(default=900, description="a spot device's silent link is dead, clinical s")
    spot_linger_s: Positive = Field(
        default=30, description="a spot device that has measured and is quiet is done, clinical s"
    )
    spot_pause_s: Positive = Field(
        default=60, description="and is called back, still awake, only after this, clinical s"
    )
    stored_after_s: Positive = Field(default=120, description="an older device time means a stored record, clinical s")
    site_zone: str = Field(default="Asia/Shanghai", description="IANA zone of the devices' civil time")
    clock_trust: ClockTrust = Field(
        default=ClockTrust.AUTO, description="auto: ask the kernel whether the clock is synchronised; or say it"
    )
    local_alarm: LocalAlarmSettings = Field(
        default=LocalAlarmSettings(), description="the table [local_alarm]: what rings at home, and when"
    )

    @field_validator("gateway_id")
    @classmethod
    def _is_gateway_id(cls, value: str) -> str:
        try:
            topic(value, Leaf.STATUS)
        except TopicError as exc:
            raise ValueError(str(exc)) from exc
        if value == "+":
            raise ValueError("gateway id '+' is a wildcard")
        return value

    @field_validator("devices")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            pairs = address.split(":")
            if len(pairs) != 6 or not all(len(p) == 2 and all(c in "0123456789abcdefABCDEF" for c in p) for p in pairs):
                raise ValueError(f"{address!r} is no Bluetooth address (AA:BB:CC:DD:EE:FF)")
        return tuple(dict.fromkeys(address.upper() for address in value))

    @field_validator("adapters")
    @classmethod
    def _are_adapters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not (name.startswith("hci") and name[3:].isdecimal()):
                raise ValueError(f"{name!r} is no Bluetooth adapter (hci0, hci1, ...)")
        if len(set(value)) < len(value):
            raise ValueError(f"{', '.join(value)}: an adapter is named twice")
        return value

    @field_validator("site_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise ValueError(f"{value!r} is no IANA time zone known here") from exc
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "GatewaySettings":
        try:
            scaled(Signal.SPO2, self.urgent_spo2_below)
            scaled(Signal.TEMPERATURE, self.urgent_temperature_from)
        except ScaleError as exc:
            raise ValueError(f"urgent limit: {exc}") from exc
        if self.broker_certificate_file and not (self.broker_ca_file and self.broker_key_file):
            raise ValueError("broker_certificate_file needs broker_ca_file and broker_key_file")
        if self.resend_s_max < self.resend_s_min:
            raise ValueError("resend_s_max is below resend_s_min")
        if len(self.devices) > self.devices_max:
            raise ValueError(f"{len(self.devices)} devices, devices_max is {self.devices_max}")
        return self


def load_settings(file: Path | None, environment: Mapping[str, str] = os.environ) -> GatewaySettings:
    """Read environment and file, else the file that CONFIG names. Raises SettingsError, naming every wrong key."""
    variables = _variables(environment)
    if file is None and environment.get(CONFIG):
        file = Path(environment[CONFIG])
    try:
        document: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")) if file else {}
    except OSError as exc:
        raise SettingsError(f"{file}: {exc.strerror}") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError(f"{file}: {exc}") from exc
    try:
        return GatewaySettings(**document | {name: _parsed(name, text) for name, text in variables.items()})
    except ValidationError as exc:
        known = (*GatewaySettings.model_fields, *LocalAlarmSettings.model_fields)
        raise SettingsError("; ".join(in_words(each, known) for each in exc.errors())) from exc


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick the settings out of an environment, by the names of their fields. Raises SettingsError."""
    ours = {name: text for name, text in environment.items() if name.upper().startswith(PREFIX) and name != CONFIG}
    fields = {name: name[len(PREFIX) :].lower() for name in ours}
    if unknown := sorted(name for name, field in fields.items() if field not in GatewaySettings.model_fields):
        raise SettingsError(f"unknown setting in the environment: {', '.join(unknown)}")
    return {fields[name]: text for name, text in ours.items()}


def _parsed(field: str, text: str) -> object:
    """Parse a variable as far as pydantic does not: a list or a table. Raises SettingsError."""
    if not isinstance(GatewaySettings.model_fields[field].default, tuple | BaseModel):
        return text
    try:
        return json.loads(text)
    except ValueError as exc:
        raise SettingsError(f"{PREFIX}{field.upper()} is no JSON, as a list or a table must be") from exc
