"""Reads what a rule's raise means: its family, how urgent it is, whether it opens a tier-3 case."""

from alerting.profile.profile import Consequence, Priority, no_data_rule
from alerting.profile.tables import Table, choice, get

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
