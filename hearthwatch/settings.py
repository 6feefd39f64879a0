"""Where this process finds the database, the broker and the clock: what every room's settings share."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field is an environment variable HEARTHWATCH_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="HEARTHWATCH_", frozen=True, extra="forbid")

    database_dsn: str = "host=127.0.0.1 dbname=hearthwatch"
    """libpq connection string of the database."""
    broker_host: str = "127.0.0.1"
    """Host of the MQTT broker."""
    broker_port: int = 1883
    """Port of the MQTT broker."""
    clock_origin: str = ""
    """Instant (ISO 8601, UTC) from which clinical time runs at `clock_speed`; empty: real time."""
    clock_speed: float = 1.0
    """How many clinical seconds pass in one of the machine's."""
