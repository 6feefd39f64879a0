"""Why an alarm was raised, in words a doctor reads: the limit, what was seen, how much of it (core).

Alerting writes the evidence as JSON; its keys are read here and nowhere else. What is not known is left out.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from dashboards.board import Episode
from dashboards.limits import Limit
from dashboards.units import unit_of
from dashboards.words import Words
from vitals.signals import Signal

DEVICES_MOST = 3
Local = Callable[[datetime], str]
"""Writes an instant as the patient's local time."""


def evidence_of(episode: Episode, limits: Sequence[Limit], words: Words, local: Local) -> list[str]:
    """Say what was seen against which limit, the limit first."""
    seen = episode.evidence
    limit = _decisive(seen, limits)
    return [
        *([rule_text(limit, words)] if limit else []),
        *_extremes(seen, words),
        *_amounts(seen, words),
        *_times(seen, words, local),
        *_things(seen, words),
        *(words.pgettext("why", seen[key]) for key in ("why",) if isinstance(seen.get(key), str)),
        *(words.pgettext("why", key) for key in ("data_gap", "late", "past") if seen.get(key) is True),
    ]


def rule_text(limit: Limit, words: Words) -> str:
    """Say what a rule asks for, in one line."""
    bound = f"{limit.sign}\u00a0{limit.value:g}\u00a0{unit_of(limit.signal)}"
    if limit.kind == "sustained":
        return words.gettext(
            "%(bound)s in at least %(share)s %% of samples over %(window)s",
            bound=bound,
            share=limit.share_percent,
            window=words.span(timedelta(seconds=limit.window_s)),
        )
    if limit.confirm == "at_once":
        return bound
    if limit.confirm == "only_repeat":
        return words.gettext(
            "%(bound)s, and again within %(window)s",
            bound=bound,
            window=words.span(timedelta(seconds=limit.repeat_until_s)),
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


def _decisive(seen: dict[str, Any], limits: Sequence[Limit]) -> Limit | None:
    """Pick the form of the rule that spoke: samples counted in a window, or single measurements."""
    sustained = "valid_samples" in seen
    return next((limit for limit in limits if (limit.kind == "sustained") == sustained), next(iter(limits), None))


def _extremes(seen: dict[str, Any], words: Words) -> list[str]:
    texts = {
        "lowest": words.gettext("lowest"),
        "highest": words.gettext("highest"),
        "worst": words.gettext("worst"),
        "value": words.gettext("at the alarm"),
    }
    signal = seen.get("signal")
    unit = unit_of(Signal(signal)) if signal in set(Signal) else ""
    return [f"{text} {seen[key]:g}\u00a0{unit}" for key, text in texts.items() if _is_number(seen.get(key))]


def _amounts(seen: dict[str, Any], words: Words) -> list[str]:
    said = []
    beyond = seen.get("samples_below", seen.get("samples_above"))
    if _is_number(seen.get("valid_samples")) and _is_number(beyond):
        said.append(
            words.gettext(
                "%(below)s of %(valid)s good samples beyond the limit",
                below=beyond,
                valid=seen["valid_samples"],
            )
        )
    if _is_number(seen.get("coverage_percent")):
        said.append(words.gettext("coverage %(percent)s %%", percent=round(seen["coverage_percent"])))
    if _is_number(seen.get("readings_beyond")):
        said.append(words.gettext("%(count)s readings beyond the limit", count=seen["readings_beyond"]))
    if _is_number(seen.get("hours")) and seen["hours"] > 0:
        said.append(words.gettext("within %(hours)s h", hours=f"{seen['hours']:g}"))
    return said


def _times(seen: dict[str, Any], words: Words, local: Local) -> list[str]:
    texts = {
        "last_good_at": words.gettext("last good value %(time)s"),
        "due_at": words.gettext("was due %(time)s"),
        "oldest_at": words.gettext("the oldest from %(time)s"),
    }
    if "last_good_at" not in seen:
        texts["last_heard_at"] = words.gettext("last heard %(time)s")
    return [
        text % {"time": local(datetime.fromisoformat(seen[key]))}
        for key, text in texts.items()
        if isinstance(seen.get(key), str)
    ]


def _things(seen: dict[str, Any], words: Words) -> list[str]:
    """Name the devices it is about, Bluetooth's troubles, and how much else is silent because of it."""
    named = seen.get("devices") or ([seen["device"]] if seen.get("signal") and seen.get("device") else [])
    said = [words.gettext("device %(names)s", names=", ".join(named[:DEVICES_MOST]))] if named else []
    said += [words.pgettext("because", str(each).split(" ")[0]) for each in seen.get("troubles", ())]
    if _is_number(seen.get("covers_now")):
        said.append(words.gettext("%(count)s gateways and devices are silent by it", count=seen["covers_now"]))
    return said


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
