"""The alert rules for Prometheus: well formed, about metrics that there are, each explained in both languages."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest.http.metrics import HttpMetrics
from ingest.store.metrics import Metrics
from ingest.tend.metrics import TendingMetrics

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = yaml.safe_load((REPOSITORY / "deploy/prometheus/hearthwatch.rules.yaml").read_text())
PAGE = (REPOSITORY / "docs/metrics.md").read_text()
RULES: list[dict[str, Any]] = [rule for group in DOCUMENT["groups"] for rule in group["rules"]]
DURATION = re.compile(r"\d+[smhd]")
NAME = re.compile(r"\bhearthwatch_\w+")


def exposed() -> dict[str, set[str]]:
    """Give every series name that our processes expose, with its labels."""
    found: dict[str, set[str]] = {}
    for metrics in (Metrics(), HttpMetrics(), TendingMetrics()):
        for family in metrics.registry.collect():
            ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
            for end in ends:
                found[f"{family.name}{end}"] = {label for sample in family.samples for label in sample.labels}
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_is_whole_and_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert DURATION.fullmatch(rule.get("for", "0s"))
    assert rule["annotations"]["summary"].isascii()
    assert re.search("[\u4e00-\u9fff]", rule["annotations"]["summary_zh"])
    expression, known = rule["expr"], exposed()
    names = NAME.findall(expression)
    assert names
    assert set(names) <= set(known)
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)
    assert expression.count('"') % 2 == 0
    for bracket in re.findall(r"\[([^]]*)\]", re.sub(r'"[^"]*"', "", expression)):
        assert DURATION.fullmatch(bracket)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_is_explained(rule: dict[str, Any]) -> None:
    [line] = [line for line in PAGE.splitlines() if line.startswith("|") and rule["alert"] in line]
    assert ("| critical |" in line) == (rule["labels"]["severity"] == "critical")


def test_alerts_have_names_of_their_own_and_the_page_names_no_other() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    assert set(re.findall(r"Hearthwatch[A-Z]\w+", PAGE)) == set(names)


def test_refusals_that_the_registry_mends_are_told_apart_from_all_others() -> None:
    waits = {"unknown_device", "unbound_device", "ambiguous", "unknown_gateway"}
    by_name = {rule["alert"]: rule["expr"] for rule in RULES}
    for alert, sign in (("HearthwatchReadingsRefused", "!~"), ("HearthwatchReadingsWithoutPatient", "=~")):
        [named] = re.findall(rf'reason{sign}"([^"]*)"', by_name[alert])
        assert set(named.split("|")) == waits


def test_every_metric_is_on_the_page() -> None:
    page = PAGE.replace("…", "hearthwatch_ingest")
    for name in exposed():
        if name.startswith("hearthwatch_ingest_"):
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            assert re.search(rf"\b{family}\b", page), name
