"""The settings of the console and the wall, read once from the environment."""

import os
from collections.abc import Mapping
from typing import Self

from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from alerting.link import Linking, keys_of
from vitals.clock import ClinicalClock
from vitals.setting_names import PREFIX, refuse_unknown


class Settings(BaseSettings):
    """Each field is an environment variable HEARTHWATCH_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    database_dsn: str = "host=127.0.0.1 dbname=hearthwatch"
    """libpq connection string of the database."""
    clock_origin: str = ""
    """Instant (ISO 8601, UTC) from which clinical time runs at `clock_speed`; empty: real time."""
    clock_speed: float = 1.0
    """How many clinical seconds pass in one of the machine's."""
    console_host: str = "127.0.0.1"
    """Address the console listens on."""
    console_port: int = 8080
    """Port the console listens on."""
    alerting_console_url: str = ""
    """The console's address as phones reach it, for links in notices: alerting's own; empty: as the visitor's browser
    calls it, which an insider can choose."""
    console_secret: SecretStr = SecretStr("")
    """Signs the links of wall displays; when empty one is drawn at start, and links end with the process."""

    link_secret: SecretStr = SecretStr("")
    """Signs the links in notices that acknowledge: alerting's own; empty: no link acknowledges."""
    link_secret_before: SecretStr = SecretStr("")
    """The secret before it: links that it signed hold until they expire."""

    @model_validator(mode="after")
    def _secrets_are_long(self) -> Self:
        keys_of(self.link_secret.get_secret_value(), self.link_secret_before.get_secret_value())
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the process's settings. Raises UnknownSetting, pydantic.ValidationError."""
        refuse_unknown(environment, cls.model_fields, section="CONSOLE", service="the console")
        return cls()

    def clock(self) -> ClinicalClock:
        """Give clinical time as all processes count it."""
        return ClinicalClock.parse(self.clock_origin, self.clock_speed)

    def linking(self) -> Linking:
        """Give the keys by which links are known."""
        return Linking(keys=keys_of(self.link_secret.get_secret_value(), self.link_secret_before.get_secret_value()))
