"""Alerting's settings: environment variables, read once at the start."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from alerting.link import Linking, keys_of
from alerting.throttle import Limit
from vitals.clock import ClinicalClock
from vitals.setting_names import refuse_unknown


class AlertingSettings(BaseSettings):
    """What alerting needs to know; names are HEARTHWATCH_ and the field's name in capitals."""

    model_config = SettingsConfigDict(env_prefix="HEARTHWATCH_", frozen=True, extra="ignore", hide_input_in_errors=True)

    database_dsn: str = Field(
        default="host=127.0.0.1 dbname=hearthwatch", description="libpq connection string of the database"
    )
    clock_origin: str = Field(
        default="", description="ISO 8601 UTC instant from which clinical time runs scaled; empty: real time"
    )
    clock_speed: float = Field(default=1.0, gt=0, description="clinical seconds per machine second")
    alerting_profile: str = Field(default="", description="path of the clinical profile; empty: the standard adult one")
    alerting_site_altitude_m: int | None = Field(
        default=None,
        ge=-500,
        le=9000,
        description="metres above the sea of the homes that are watched; required: SpO2 limits depend on it",
    )
    alerting_watchdog_channels: str = Field(
        default="",
        description="apprise addresses of operations, with spaces between, that `hearthwatch alerting watchdog` tells",
    )
    alerting_console_url: str = Field(default="http://localhost:8080", description="the console's address, for notices")
    alerting_owner: str = Field(
        default="alerting-1", description="this worker's name, shown beside the partitions it owns"
    )
    alerting_lease_s: float = Field(
        default=15,
        ge=1,
        le=600,
        description="machine seconds after a worker's last sign of life until others take its partitions over",
    )

    link_secret: SecretStr = Field(
        default=SecretStr(""),
        description="signs the links that acknowledge, the same for alerting and the console, at least 16 characters;"
        " empty: links lead to the console, where one signs in",
    )
    link_secret_before: SecretStr = Field(
        default=SecretStr(""), description="the secret before it: links that it signed hold until they expire"
    )
    alerting_link_high_min: int = Field(
        default=30, ge=1, le=1440, description="clinical minutes for which a link of high priority acknowledges"
    )
    alerting_link_medium_min: int = Field(default=120, ge=1, le=2880, description="... of medium priority")
    alerting_link_low_min: int = Field(default=2880, ge=1, le=10080, description="... of low priority")

    alerting_throttle_most: int = Field(
        default=6,
        ge=1,
        le=1000,
        description="how many notices of low and medium priority one person gets in alerting_throttle_within_min before"
        " the others are gathered into one; high, tier 3 and referrals are never counted or held back",
    )
    alerting_throttle_within_min: int = Field(default=10, ge=1, le=1440, description="clinical minutes of that")

    @model_validator(mode="after")
    def _secrets_are_long(self) -> Self:
        keys_of(self.link_secret.get_secret_value(), self.link_secret_before.get_secret_value())
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the process's settings. Raises UnknownSetting for a misspelt HEARTHWATCH_ALERTING_ name."""
        refuse_unknown(environment, cls.model_fields, section="ALERTING", service="alerting")
        return cls()

    @property
    def clock(self) -> ClinicalClock:
        """The clinical clock these settings describe."""
        return ClinicalClock.parse(self.clock_origin, self.clock_speed)

    @property
    def linking(self) -> Linking:
        """With what links are signed, and how long they hold."""
        present = self.link_secret.get_secret_value()
        return Linking(
            keys=keys_of(present, self.link_secret_before.get_secret_value()) if present else (),
            high=timedelta(minutes=self.alerting_link_high_min),
            medium=timedelta(minutes=self.alerting_link_medium_min),
            low=timedelta(minutes=self.alerting_link_low_min),
        )

    @property
    def throttle(self) -> Limit:
        """How many notices that may wait one person gets."""
        return Limit(most=self.alerting_throttle_most, within=timedelta(minutes=self.alerting_throttle_within_min))

    @property
    def watchdog_urls(self) -> list[str]:
        """The addresses that the watchdog tells."""
        return self.alerting_watchdog_channels.split()

    def now(self) -> datetime:
        """Read the clock: clinical now."""
        return self.clock.at(datetime.now(UTC))
