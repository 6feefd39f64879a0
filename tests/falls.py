"""How long a fall must last for a sustained rule to raise it, at a value a second: taken from the rule itself."""

from vitals.sustained import SustainedRule


def fall_s(rule: SustainedRule) -> int:
    """Give so many values that surely raise it, wherever in a bucket they begin and whatever was before."""
    return (rule.window_ms + rule.grain.bucket_ms) // 1000 + 1


def share_s(rule: SustainedRule) -> int:
    """Give the fewest that can raise it, of who was well."""
    return rule.window_ms * rule.share_percent // 100_000
