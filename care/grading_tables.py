"""Writes the two decision tables out whole, as docs/risk.md and docs/referral.csv hold them (core)."""

from collections import Counter
from collections.abc import Iterator
from itertools import product

from care.referral import FLAGS, LADDER, ROWS, Driver, Picture, Severity, route
from care.registry import UnderlyingDisease, Vaccination
from care.risk import AgeBand, RiskFacts, assess

STAYS = "stays where they live"


def pictures() -> Iterator[Picture]:
    """Give every picture that can be said of a patient, in order."""
    for severity, driver in product(Severity, Driver):
        for flags in product((False, True), repeat=len(FLAGS)):
            yield Picture(severity=severity, driver=driver, **dict(zip(FLAGS, flags, strict=True)))


def risk_table() -> str:
    """Write the 27 cells as a Markdown table: facts, colour, where it comes from, points and the score's colour."""
    lines = [
        "| age | underlying disease | vaccination | colour | clause | points | by score |",
        "|---|---|---|---|---|---|---|",
    ]
    for age, disease, vaccination in product(AgeBand, UnderlyingDisease, Vaccination):
        found = assess(RiskFacts(age_band=age, disease=disease, vaccination=vaccination))
        by_score = f"**{found.by_score}**" if found.by_table and found.by_score != found.by_table else found.by_score
        cells = (age, disease, vaccination, found.colour, found.clause, str(found.points), by_score)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def referral_table() -> str:
    """Write the decision table's rows as a Markdown table, with how many of the pictures each decides."""
    met = Counter(route(picture).clause for picture in pictures())
    lines = ["| clause | for whom (first match from the top) | destination | then | ward | vehicle | pictures |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in ROWS:
        ladder = ", ".join(LADDER[row.destination][1:]) if row.destination else ""
        cells = (row.clause, f"{row.words}<br>{row.words_zh}", row.destination or STAYS, ladder, row.ward, row.vehicle)
        lines.append(f"| {' | '.join(cells)} | {met[row.clause]} |")
    return "\n".join(lines) + "\n"


def referral_csv() -> str:
    """Write every picture with its outcome, a line each."""
    lines = [",".join(("severity", "driver", *FLAGS, "clause", "destination", "ward", "vehicle", "asks"))]
    for picture in pictures():
        found = route(picture)
        flags = ("yes" if getattr(picture, flag) else "no" for flag in FLAGS)
        where = (found.clause, found.destination or "", found.ward, found.vehicle, "+".join(found.asks))
        lines.append(",".join((picture.severity, picture.driver, *flags, *where)))
    return "\n".join(lines) + "\n"
