"""Shows a profile, or what one patient is held to: as tables on a terminal, or as JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from alerting.profile.description import TIMER_NAMES, RuleLine, rule_lines, variant_lines
from alerting.profile.patient import Held
from alerting.profile.profile import Profile
from alerting.words import RULES


def print_profile(profile: Profile, held: Held, *, asked: bool) -> None:
    """Print the rules of the standard patient, variants and deadlines; or, if `asked`, the rules of this patient."""
    console = Console()
    if asked:
        console.print(_rules(f"what a patient is held to: {held.name}", rule_lines(profile, held)))
        console.print(f"his age changes it on {held.next_change}" if held.next_change else "his age changes it no more")
        console.print(f"sha256 {held.hash}, as his events name it", soft_wrap=True)
        return
    title = f"{profile.name} version {profile.version}, in force from {profile.effective_from}"
    console.print(_rules(title, rule_lines(profile)))
    console.print(_variants(profile))
    timers = Table("priority", *(name.removesuffix("_s") for name in TIMER_NAMES), title="deadlines, in minutes")
    for priority, each in profile.timers.items():
        timers.add_row(priority, *(f"{getattr(each, name) / 60:g}" for name in TIMER_NAMES))
    console.print(timers)
    console.print(f"sha256 {profile.profile_hash}, of the file and its variants", soft_wrap=True)
    console.print(f"sha256 {held.hash}, as the events of {held.name} name it", soft_wrap=True)
    for rule in sorted(profile.consequences.keys() - RULES.keys()):
        console.print(f"note: {rule} has no words yet (alerting/words.py); notices will show its id")


def as_document(profile: Profile, held: Held, *, asked: bool) -> dict[str, Any]:
    """Give the same as plain values. `held_sha256` is what events name as their profile."""
    head: dict[str, Any] = {"name": profile.name, "version": profile.version, "sha256": profile.profile_hash}
    lines = [asdict(line) for line in rule_lines(profile, held if asked else None)]
    if not asked:
        return head | {
            "held_sha256": held.hash,
            "rules": lines,
            "variants": [asdict(line) for line in variant_lines(profile)],
        }
    return head | {
        "held_to": held.name,
        "held_sha256": held.hash,
        "next_change": held.next_change.isoformat() if held.next_change else None,
        "awaiting_order": sorted(held.awaiting_order),
        "rules": lines,
    }


def _rules(title: str, lines: list[RuleLine]) -> Table:
    table = Table("rule", "judged", "condition", "persistence", "priority", "tier 3", title=title)
    for line in lines:
        table.add_row(
            line.rule, line.judged, line.condition, line.persistence, line.priority, "yes" if line.tier3 else "no"
        )
    return table


def _variants(profile: Profile) -> Table:
    table = Table("variant", "applies to", "changes", title="variants; later ones overlay earlier ones")
    for line in variant_lines(profile):
        approved = f"\napproved by {line.approved_by}" if line.approved_by else ""
        table.add_row(line.variant, line.applies + approved, "\n".join(line.changes))
    return table
