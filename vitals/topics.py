"""MQTT topics: hearthwatch/v1/{gateway_id}/{leaf}. No name, no national id, no patient id ever stands in one."""

import re
from enum import StrEnum

ROOT = "hearthwatch/v1"
GATEWAY_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""What a gateway may be called; to be matched in full."""


class Leaf(StrEnum):
    """What a gateway's topic carries."""

    READINGS = "readings"
    READINGS_JSON = "readings/json"
    STATUS = "status"
    ACK = "ack"
    CONFIG = "config"


_LEAVES = frozenset(Leaf)


class TopicError(ValueError):
    """A topic or gateway id is not of the form hearthwatch/v1/{gateway_id}/{leaf}."""


def topic(gateway_id: str, leaf: Leaf) -> str:
    """Build a topic; `gateway_id` may be '+' for a subscription. Raises TopicError on a malformed id."""
    if gateway_id != "+" and not GATEWAY_ID.fullmatch(gateway_id):
        raise TopicError(f"gateway id {gateway_id!r} is not [a-z0-9][a-z0-9_-]*, at most 63 characters")
    return f"{ROOT}/{gateway_id}/{leaf}"


def parse_topic(name: str) -> tuple[str, Leaf]:
    """Take a topic apart into gateway id and leaf. Raises TopicError."""
    prefix, _, rest = name.partition(f"{ROOT}/")
    gateway_id, _, leaf = rest.partition("/")
    if prefix or not GATEWAY_ID.fullmatch(gateway_id) or leaf not in _LEAVES:
        raise TopicError(f"topic {name!r} is not {ROOT}/{{gateway_id}}/{{leaf}}")
    return gateway_id, Leaf(leaf)
