"""What a check says: a verdict, what was found, and the way out, in English and Chinese."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    FINE = "fine"
    WARNING = "warning"  # works, and somebody should know
    BROKEN = "broken"  # readings or alarms are lost, or will be
    UNKNOWN = "unknown"  # could not be looked at, because something before it is broken


class Language(StrEnum):
    """A language the doctor speaks."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One sentence in each language."""

    en: str
    zh: str

    def in_language(self, language: Language) -> str:
        """Answer the sentence in the language."""
        return self.zh if language is Language.ZH else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; a finding that is not fine says what to do."""

    check: str
    verdict: Verdict
    found: Words
    way_out: Words | None = None


def fine(check: str, *, en: str, zh: str) -> Finding:
    """Say that all is well."""
    return Finding(check=check, verdict=Verdict.FINE, found=Words(en=en, zh=zh))


def warning(check: str, *, en: str, zh: str, way_out: Words) -> Finding:
    """Say that it works, but not as it should."""
    return Finding(check=check, verdict=Verdict.WARNING, found=Words(en=en, zh=zh), way_out=way_out)


def broken(check: str, *, en: str, zh: str, way_out: Words) -> Finding:
    """Say that it does not work."""
    return Finding(check=check, verdict=Verdict.BROKEN, found=Words(en=en, zh=zh), way_out=way_out)


def unknown(check: str, *, because: str) -> Finding:
    """Say that it could not be looked at because another check failed."""
    return Finding(
        check=check,
        verdict=Verdict.UNKNOWN,
        found=Words(en=f"not looked at: {because} first", zh=f"未检查：请先处理 {because}"),
    )


def is_broken(findings: list[Finding]) -> bool:
    """Say whether anything is broken."""
    return any(each.verdict is Verdict.BROKEN for each in findings)


MARKS = {Verdict.FINE: "✓", Verdict.WARNING: "!", Verdict.BROKEN: "✗", Verdict.UNKNOWN: "?"}


def as_text(findings: list[Finding], language: Language) -> str:
    """Write the findings for people."""
    lines = []
    for each in findings:
        lines.append(f"{MARKS[each.verdict]} {each.check}: {each.found.in_language(language)}")
        if each.way_out is not None:
            lines.append(f"    → {each.way_out.in_language(language)}")
    return "\n".join(lines)


def as_plain(findings: list[Finding], language: Language) -> list[dict[str, str | None]]:
    """Write the findings for programs."""
    return [
        {
            "check": each.check,
            "verdict": each.verdict,
            "found": each.found.in_language(language),
            "way_out": each.way_out.in_language(language) if each.way_out else None,
        }
        for each in findings
    ]
