"""Care's settings: where the database is and what time it is, shared by all services."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CareSettings(BaseSettings):
    """Each field is an environment variable HEARTHWATCH_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="HEARTHWATCH_", frozen=True, extra="forbid")

    database_dsn: str = "host=127.0.0.1 dbname=hearthwatch"
    """libpq connection string of the database."""
    clock_origin: str = ""
    """Instant (ISO 8601, UTC) from which clinical time runs at `clock_speed`; empty: real time."""
    clock_speed: float = Field(default=1.0, gt=0)
    """How many clinical seconds pass in one of the machine's."""
