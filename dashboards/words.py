"""Words and times as people read them: catalogues in zh-CN and en, local times, ages (core, but for loading)."""

import gettext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from importlib.resources import files
from io import BytesIO

from babel.dates import format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from alerting.zones import zone_of


class Language(StrEnum):
    """The languages of the screens; the first is the default."""

    ZH = "zh_CN"
    EN = "en"

    @property
    def tag(self) -> str:
        """Give the BCP 47 tag for the `lang` attribute."""
        return self.value.replace("_", "-")


HOURS_MOST = 10 * 365 * 24
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language's texts and ways of writing time."""

    language: Language
    translations: gettext.NullTranslations

    def gettext(self, message: str, **values: object) -> str:
        """Translate, then fill %(name)s."""
        text = self.translations.gettext(message)
        return text % values if values else text

    def pgettext(self, context: str, code: str) -> str:
        """Say a code (a rule, a state, a reason) in words; an unknown code is shown as it is."""
        return self.translations.pgettext(context, code)

    def outcome(self, said: str) -> str:
        """Say how a notice's hand-over ended (alerting/outcomes.py), or several that are parted by commas."""
        codes = [each.partition(": ") for each in said.split(", ")]
        return ", ".join(f"{self.pgettext('outcome', code)} {detail}".rstrip() for code, _, detail in codes)

    def local(self, at: datetime, now: datetime, zone: str) -> str:
        """Write an instant as local time, with the date where it is not today's."""
        there, today = at.astimezone(zone_of(zone)), now.astimezone(zone_of(zone))
        if there.date() == today.date():
            return f"{there:%H:%M}"
        day = self.day(there.date())
        year = (
            "" if there.year == today.year else f"{there.year}年" if self.language is Language.ZH else f" {there.year}"
        )
        return f"{year}{day} {there:%H:%M}" if self.language is Language.ZH else f"{day}{year} {there:%H:%M}"

    def day(self, on: date) -> str:
        """Write a day of about now ("28 Feb")."""
        return f"{on.month}月{on.day}日" if self.language is Language.ZH else f"{on.day} {on:%b}"

    def ago(self, at: datetime, now: datetime) -> str:
        """Write an age ("12s ago") as the page's script goes on writing it; an instant ahead of `now` counts as now."""
        seconds = max(0, int((now - at).total_seconds()))
        unit, length = next(((unit, length) for unit, length in _UNITS if seconds >= length * 1.5), _UNITS[-1])
        return self.pgettext("ago", unit) % {"count": (2 * seconds + length) // (2 * length)}

    def span(self, length: timedelta) -> str:
        """Write a length of time ("5 min")."""
        return format_timedelta(length, threshold=1.5, format="short", locale=self.language.value)

    def hours(self, count: float) -> str:
        """Write a number of hours as a length of time ("13 days"); ten years are as long as it gets."""
        return self.span(timedelta(hours=min(max(count, 0.0), HOURS_MOST)))

    def countdown(self, until: datetime, now: datetime) -> str:
        """Write the time left as m:ss or h:mm:ss; past it, how long ago, with a plus sign."""
        seconds = int((until - now).total_seconds())
        sign, seconds = ("+", -seconds) if seconds < 0 else ("", seconds)
        minutes, rest = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"


def age_years(born_on: date, now: datetime, zone: str) -> int:
    """Give the age in whole years on the patient's local date."""
    today = now.astimezone(zone_of(zone)).date()
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))


def negotiate(chosen: str | None, accept_language: str) -> Language:
    """Pick the language: the person's choice, else the browser's first that there is, else the default."""
    if chosen in set(Language):
        return Language(chosen)
    ranked = sorted((_weighted(part) for part in accept_language.split(",")), key=lambda pair: -pair[0])
    for weight, tag in ranked:
        for language in Language:
            if weight > 0 and tag.split("-")[0] == language.value.split("_")[0]:
                return language
    return Language.ZH


def load() -> dict[Language, Words]:
    """Read the catalogues; .po files are compiled in memory, so that there is no build step."""
    return {language: Words(language=language, translations=_translations(language)) for language in Language}


def _translations(language: Language) -> gettext.NullTranslations:
    source = files("dashboards") / "locale" / language.value / "LC_MESSAGES" / "dashboards.po"
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language.value))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _weighted(part: str) -> tuple[float, str]:
    tag, _, parameter = part.strip().partition(";q=")
    try:
        return (float(parameter) if parameter else 1.0), tag.strip().lower()
    except ValueError:
        return 0.0, ""
