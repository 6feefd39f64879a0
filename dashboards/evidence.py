"""Why an alarm was raised, in the reader's language: alerting's own explanation, and Bluetooth's troubles by name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from alerting.explanation import explain
from alerting.words import Text
from dashboards.board import Episode
from dashboards.words import Language, Words

Local = Callable[[datetime], str]
"""Writes an instant as the patient's local time."""

_TOGETHER = re.compile(r"(?<=[<≤>≥]) (?=\d)|(?<=\d) (?=[%/°]|mm)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A sentence short enough for a card, and what stands behind it."""

    sentence: str
    rest: tuple[str, ...]


def reason_of(episode: Episode, words: Words, local: Local) -> Reason:
    """Say what was seen against which limit; a limit and its unit stay on one line."""

    def said(text: Text) -> str:
        return _TOGETHER.sub("\u00a0", text.zh if words.language is Language.ZH else text.en)

    found = explain(episode.rule, episode.evidence, lambda at: Text(zh=local(at), en=local(at)))
    troubles = episode.evidence.get("troubles")
    named = troubles if isinstance(troubles, list) else []
    return Reason(
        sentence=said(found.sentence),
        rest=(*map(said, found.rest), *(words.pgettext("because", str(each).split(" ")[0]) for each in named)),
    )
