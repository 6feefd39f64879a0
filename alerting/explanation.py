"""Why a rule raised, as a doctor reads it in Chinese and English: one short sentence, and what stands behind it.

The sentence says what, which limit and how much; the patient's own limit, as the evidence has it. Tables of phrases,
each said where the evidence holds every thing it names; nothing is said of what is not known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from string import Formatter

from alerting.evidence import THINGS, Evidence, When, things_of, utc
from alerting.words import RULES, Text

Phrases = tuple[Text, ...]

HEADS: tuple[Phrases, ...] = (
    (
        Text(zh="{signal} {limit}", en="{signal} {limit}"),
        Text(zh="最低{lowest}", en="lowest {lowest}"),
        Text(zh="{window}内占{share_percent}%", en="{share_percent} % of {window}"),
    ),
    (
        Text(zh="{signal} {limit}", en="{signal} {limit}"),
        Text(zh="最高{highest}", en="highest {highest}"),
        Text(zh="{window}内占{share_percent}%", en="{share_percent} % of {window}"),
    ),
    (Text(zh="NEWS2单项 {single}", en="one item of NEWS2 {single}"), Text(zh="{decisive}", en="{decisive}")),
    (Text(zh="{signal} {limit}", en="{signal} {limit}"), Text(zh="{score}", en="{score}")),
    (
        Text(zh="{signal} {limit}", en="{signal} {limit}"),
        Text(zh="最差{worst}", en="worst {worst}"),
        Text(zh="{readings}", en="{readings}"),
    ),
    (Text(zh="{signal}最低{lowest}", en="{signal} lowest {lowest}"), Text(zh="{why}", en="{why}")),
    (Text(zh="{signal}{value}", en="{signal} {value}"),),
    (Text(zh="{signal}应于{due_at}测量", en="{signal} was due {due_at}"),),
    (Text(zh="{why}", en="{why}"), Text(zh="最后有效数据 {last_good_at}", en="last good value {last_good_at}")),
    (Text(zh="{why}", en="{why}"), Text(zh="最后消息 {last_heard_at}", en="last heard {last_heard_at}")),
    (Text(zh="{why}", en="{why}"), Text(zh="最早 {oldest_at}", en="the oldest from {oldest_at}")),
    (Text(zh="{duty}自{begins_at}起无人值班", en="nobody as {duty} from {begins_at}"),),
    (Text(zh="{why}", en="{why}"), Text(zh="共{members_now}个", en="{members_now} of them")),
    (Text(zh="{why}", en="{why}"), Text(zh="自{begins_at}起", en="from {begins_at}")),
    (Text(zh="{why}", en="{why}"),),
    (Text(zh="{signs}", en="{signs}"), Text(zh="{way}", en="{way}")),
)
"""How the sentence is made: the first of which all can be said."""

REST: Phrases = (
    Text(zh="{why}", en="{why}"),
    Text(zh="{valid_samples}个有效样本中{beyond}个越限", en="{beyond} of {valid_samples} good samples beyond it"),
    Text(zh="覆盖率{coverage_percent}%", en="coverage {coverage_percent} %"),
    Text(zh="各项得分：{parts}", en="of which {parts}"),
    Text(zh="7项中已知{of_seven}项", en="{of_seven} of 7 items known"),
    Text(zh="历时{hours}", en="over {hours}"),
    Text(zh="{data_gap}", en="{data_gap}"),
    Text(zh="{session}", en="{session}"),
    Text(zh="最后有效数据 {last_good_at}", en="last good value {last_good_at}"),
    Text(zh="{late}", en="{late}"),
    Text(zh="{past}", en="{past}"),
    Text(zh="个人基线{baseline}", en="personal baseline {baseline}"),
    Text(zh="{tags}", en="{tags}"),
    Text(zh="设备 {devices}", en="device {devices}"),
    Text(zh="因此有 {covers_now} 个网关和设备没有数据", en="{covers_now} gateways and devices are silent by it"),
    Text(zh="型号 {model}", en="model {model}"),
    Text(zh="涉及 {lacking}", en="it concerns {lacking}"),
    Text(zh="限值依据 {profile}", en="limits {profile}"),
)
"""What stands behind it: each that can be said and the sentence does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why a rule raised: a sentence short enough for a card, and the rest."""

    sentence: Text
    rest: Phrases

    @property
    def whole(self) -> Text:
        """Give all of it in one line."""
        return _joined([self.sentence, *self.rest])


def explain(rule: str, evidence: Evidence, when: When = utc) -> Explained:
    """Say why a rule raised; its title alone where the evidence says nothing."""
    things = things_of(evidence, when)
    head = next((phrases for phrases in HEADS if _named(phrases) <= things.keys()), ())
    said = _named(head)
    title = RULES.get(rule, Text(zh=rule, en=rule))
    rest = [phrase for phrase in REST if _fields(phrase) <= things.keys() and not _fields(phrase) <= said]
    return Explained(
        sentence=_joined([_filled(phrase, things) for phrase in head]) if head else title,
        rest=tuple(_filled(phrase, things) for phrase in rest),
    )


def keys_named() -> frozenset[str]:
    """Give every key of evidence that some phrase is made of."""
    phrases = (*(phrase for head in HEADS for phrase in head), *REST)
    return frozenset(key for name in _named(phrases) for key in THINGS[name].keys)


def _filled(phrase: Text, things: dict[str, Text]) -> Text:
    return Text(
        zh=phrase.zh.format_map({name: text.zh for name, text in things.items()}),
        en=phrase.en.format_map({name: text.en for name, text in things.items()}),
    )


def _joined(phrases: Iterable[Text]) -> Text:
    every = list(phrases)
    return Text(zh="，".join(each.zh for each in every), en=", ".join(each.en for each in every))


def _named(phrases: Phrases) -> frozenset[str]:
    return frozenset().union(*(_fields(phrase) for phrase in phrases))


def _fields(phrase: Text) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(phrase.en) if name)
