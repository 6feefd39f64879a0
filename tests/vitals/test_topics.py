"""Topics: built and taken apart, nothing malformed gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitals.topics import Leaf, TopicError, parse_topic, topic


@pytest.mark.parametrize("leaf", Leaf)
@pytest.mark.parametrize("gateway_id", ["a", "0", "gw-1", "home_17-b", "a" * 63])
def test_a_topic_is_taken_apart_as_it_was_built(gateway_id: str, leaf: Leaf) -> None:
    assert parse_topic(topic(gateway_id, leaf)) == (gateway_id, leaf)


def test_the_longer_leaf_is_not_the_shorter_one() -> None:
    assert topic("gw", Leaf.READINGS_JSON) == "hearthwatch/v1/gw/readings/json"
    assert parse_topic("hearthwatch/v1/gw/readings/json") == ("gw", Leaf.READINGS_JSON)


def test_a_subscription_may_have_a_wildcard_but_a_message_may_not() -> None:
    assert topic("+", Leaf.ACK) == "hearthwatch/v1/+/ack"
    with pytest.raises(TopicError):
        parse_topic("hearthwatch/v1/+/ack")


@pytest.mark.parametrize("gateway_id", ["", "A", "-a", "_a", "a" * 64, "a/b", "a#", "a+", "#", "é", "a\n", " a"])
def test_a_malformed_gateway_id_is_refused(gateway_id: str) -> None:
    with pytest.raises(TopicError):
        topic(gateway_id, Leaf.STATUS)
    with pytest.raises(TopicError):
        parse_topic(f"hearthwatch/v1/{gateway_id}/status")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "hearthwatch/v1",
        "hearthwatch/v1/gw",
        "hearthwatch/v1/gw/",
        "hearthwatch/v1/gw/nonsense",
        "hearthwatch/v1/gw/readings/",
        "hearthwatch/v1/gw/readings/xml",
        "hearthwatch/v2/gw/readings",
        "x/hearthwatch/v1/gw/readings",
        "/hearthwatch/v1/gw/readings",
    ],
)
def test_a_malformed_topic_is_refused(name: str) -> None:
    with pytest.raises(TopicError):
        parse_topic(name)


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(name: str) -> None:
    try:
        gateway_id, leaf = parse_topic(name)
    except TopicError:
        return
    assert topic(gateway_id, leaf) == name
