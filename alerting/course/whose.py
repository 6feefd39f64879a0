"""Whose course it is."""

from dataclasses import dataclass

from alerting.profile.patient import PatientFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whose recording it is: what of him decides which limits hold, and how urgent an alarm is."""

    facts: PatientFacts
    risk_colour: str = ""
    service_tier: int = 1

    @property
    def special_groups(self) -> list[str]:
        """Special groups by name."""
        return sorted(self.facts.special_groups)
