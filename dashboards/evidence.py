"""Why an alarm was raised, in words a doctor reads: the limit, what was seen, how much of it (core)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from dashboards.board import Episode
from dashboards.limits import Limit
from dashboards.words import Words
from vitals.signals import SIGNALS, Signal


def rule_text(limit: Limit, words: Words) -> str:
    """Say what a rule asks for, in one line."""
    bound = f"{limit.sign} {limit.value:g} {'°C' if limit.signal is Signal.TEMPERATURE else SIGNALS[limit.signal].unit}"
    if limit.kind == "sustained":
        return words.gettext(
            "%(bound)s in at least %(share)s %% of samples over %(window)s",
            bound=bound,
            share=limit.share_percent,
            window=words.span(timedelta(seconds=limit.window_s)),
        )
    if limit.kind == "repeat":
        return words.gettext(
            "%(bound)s, and again or no repeat within %(window)s",
            bound=bound,
            window=words.span(timedelta(seconds=limit.repeat_until_s)),
        )
    return words.gettext(
        "%(bound)s for longer than %(window)s", bound=bound, window=words.span(timedelta(seconds=limit.longer_than_s))
    )


def evidence_of(episode: Episode, limits: Sequence[Limit], words: Words) -> list[str]:
    """Say what was seen against which limit; what the evidence does not hold is left out."""
    seen = episode.evidence
    limit = _decisive(seen, limits)
    lines = [rule_text(limit, words)] if limit else []
    signal = limit.signal if limit else None
    for key, text in (
        ("worst", words.gettext("worst %(value)s", value="{}")),
        ("value", words.gettext("at the alarm %(value)s", value="{}")),
    ):
        if (number := _number(seen.get(key), signal)) is not None:
            lines.append(text.format(number))
    if (values := _values(seen.get("values"), signal)) != "":
        lines.append(words.gettext("values %(values)s", values=values))
    if isinstance(seen.get("valid"), int) and isinstance(seen.get("below"), int):
        lines.append(
            words.gettext("%(below)s of %(valid)s good samples beyond the limit", below=seen["below"], valid=seen["valid"])
        )
    if (coverage := _coverage(seen, limit)) is not None:
        lines.append(words.gettext("coverage %(percent)s %%", percent=coverage))
    if isinstance(seen.get("count"), int):
        lines.append(words.gettext("%(count)s readings", count=seen["count"]))
    if seen.get("data_gap") is True:
        lines.append(words.gettext("a whole day without any reading in between"))
    return lines


def _decisive(seen: dict[str, Any], limits: Sequence[Limit]) -> Limit | None:
    """Pick the form of the rule that spoke: samples counted in a window, or single measurements."""
    sustained = "valid" in seen
    return next((limit for limit in limits if (limit.kind == "sustained") == sustained), next(iter(limits), None))


def _coverage(seen: dict[str, Any], limit: Limit | None) -> int | None:
    if isinstance(seen.get("coverage_percent"), int | float):
        return round(seen["coverage_percent"])
    if isinstance(seen.get("buckets"), int) and limit and limit.window_s:
        return min(100, round(seen["buckets"] * 1000 / limit.window_s))
    return None


def _values(given: object, signal: Signal | None) -> str:
    if not isinstance(given, list):
        return ""
    numbers = [_number(each[-1] if isinstance(each, list) else each, signal) for each in given[-4:]]
    return ", ".join(number for number in numbers if number is not None)


def _number(value: object, signal: Signal | None) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or signal is None:
        return None
    spec = SIGNALS[signal]
    unit = "°C" if signal is Signal.TEMPERATURE else spec.unit
    inside = value <= spec.plausible[1]
    return f"{value if inside else value / spec.scale:g} {unit}"
