"""Reads what a rule's raise means: its family, how urgent it is, whether it opens a tier-3 case."""

from collections.abc import Mapping

from alerting.profile.profile import SYMPTOM, Consequence, Priority, no_data_rule
from alerting.profile.tables import ProfileError, Table, choice, get, only

CONSEQUENCE_KEYS = frozenset({"family", "priority", "special_priority", "emergency", "tier3"})

SILENCE = {
    rule: Consequence(rule=rule, family="no_data", priority=priority, emergency=False, tier3=False, technical=True)
    for priority in (Priority.LOW, Priority.MEDIUM)
    for rule in [no_data_rule(priority)]
}
"""What silence means, which the clock judges; its times are the table `silence`."""


def consequence(where: str, rule: str, table: Table) -> Consequence:
    """Read what of a rule's row is its consequence."""
    return Consequence(
        rule=rule,
        family=get(table, where, "family", str),
        priority=choice(table, where, "priority", Priority),
        emergency=get(table, where, "emergency", bool),
        tier3=get(table, where, "tier3", bool),
        special_priority=choice(table, where, "special_priority", Priority) if "special_priority" in table else None,
    )


def refuse_reported(tables: Mapping[str, Table], consequences: Mapping[str, Consequence]) -> None:
    """Refuse reported rules that are more than an urgency, or whose family is measured, too; SYMPTOM must be there."""
    for rule, table in tables.items():
        only(f"reported.{rule}", table, CONSEQUENCE_KEYS, because=": what a person reports has an urgency and no limit")
    families = {consequences[rule].family for rule in tables}
    if shared := [each.rule for each in consequences.values() if each.family in families and each.rule not in tables]:
        raise ProfileError(
            f"reported: {', '.join(sorted(shared))} is measured, and of the same family: give it another"
        )
    if SYMPTOM not in tables:
        raise ProfileError(f"reported: {SYMPTOM} is missing: nobody could raise an alarm for a warning sign")
