"""What alarms of one cause hold, as the screens list it: gateways, devices, patients, and who of them is well again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dashboards.board import Episode
from dashboards.database import Connection, rows

MEMBERS_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A gateway, device or patient (`thing` is its key) whose own alarm waits, or waited until `left_at`."""

    episode_id: int
    thing: str
    place: str
    patient_key: str | None
    patient_name: str | None
    bed: str | None
    organisation_name: str | None
    organisation_name_en: str | None
    since: datetime
    left_at: datetime | None


def members_of(connection: Connection, episodes: Iterable[Episode]) -> dict[int, list[Member]]:
    """Give what these episodes hold, those not well first; at most `MEMBERS_MOST`."""
    ids = [episode.episode_id for episode in episodes if episode.family == "storm"]
    found: dict[int, list[Member]] = {}
    for each in rows(connection, Member, "storm_members", episodes=ids, most=MEMBERS_MOST) if ids else []:
        found.setdefault(each.episode_id, []).append(each)
    return found
