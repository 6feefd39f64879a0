"""The report of a rehearsal as text for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerting.rehearsal.report import NEW, SIDES, STANDING

LINES_MAX = 20
"""Lines of one list that are printed; --json has all."""

WIDTHS = (7, 9, 7, 6, 8, 6, 7, 10, 10)

Document = Mapping[str, Any]


def report_lines(document: Document) -> Iterator[str]:
    """Write a report, the most dangerous first: what the new profile would no longer page."""
    yield from _head(document)
    yield ""
    yield from _table(document)
    yield ""
    counts = document["missed_count"]
    yield (
        f"no longer paged: {counts['all']} ({counts['real']} that a person decided as real,"
        f" {counts['false_alarm']} closed as a false alarm, {counts['undecided']} undecided)"
    )
    yield from _listed(document["missed"])
    yield f"paged more quietly: {len(document['quieter'])}"
    yield from _listed(document["quieter"])
    yield f"newly paged: {len(document['newly'])}"
    yield from _listed(document["newly"])
    yield from _delays(document["delay_change"])
    yield from _unpaged(document["unpaged"])


def _head(document: Document) -> Iterator[str]:
    yield f"{document['from']} to {document['until']}"
    for side in SIDES:
        named = document[side]
        yield f"  {side:8} {named['name']} version {named['version']}  sha256 {named['hash'][:16]}"
    covered = document["coverage_percent"]
    yield (
        f"{document['patients']} patients, {document['patient_days']} patient-days with data,"
        f" {document['stream_hours']} h of streams"
        + (f" ({covered} % of their days)" if covered is not None else "")
        + f"; the record has {document['recorded_pages']} pages"
    )
    for each in document["skipped"]:
        yield f"  not judged: {each['patient']}: {each['reason']}"
    for each in document["orders_refused"]:
        yield f"  without his orders: {each['patient']}, {each['profile']}: {each['reason']}"


def _table(document: Document) -> Iterator[str]:
    heads = ("all", "a day", "emerg.", "high", "medium", "low", "night", "delay", "p95")
    yield f"{'pages':28}" + "".join(f"{head:>{width}}" for head, width in zip(heads, WIDTHS, strict=True))
    for name, sides in [("all", document["pages"]), *((each["rule"], each) for each in document["by_rule"])]:
        for side in SIDES:
            found = sides[side]
            kinds, delay = found["by_priority"], found["delay_s"]
            cells = [found["pages"], f"{found['per_patient_day']:.3f}", *kinds.values(), found["night"]]
            cells += [_seconds(delay["median"]), _seconds(delay["p95"])]
            row = "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
            yield f"{name if side == STANDING else '':18}{side:10}{row}"


def _listed(lines: Sequence[Document]) -> Iterator[str]:
    for each in lines[:LINES_MAX]:
        said = "" if each["decided"] == "undecided" else f"  {each['decided']} (episode {each['episode']})"
        yield f"  {each['at'][:19]}  {each['patient']:12}  {each['rule']:18} {each['priority']}{said}"
    if len(lines) > LINES_MAX:
        yield f"  … and {len(lines) - LINES_MAX} more: --json has all"


def _delays(found: Document) -> Iterator[str]:
    if found["spells"]:
        yield (
            f"of {found['spells']} spells paged by both: {found['earlier']} earlier, {found['later']} later,"
            f" {found['same']} as soon; by {_seconds(found['median_s'])} (median), {_seconds(found['p95_s'])} (p95),"
            f" at most {_seconds(found['latest_s'])}"
        )


def _unpaged(lines: Sequence[Document]) -> Iterator[str]:
    if lines:
        yield "beyond the standing limit, and nobody paged for it (minutes; the longest time):"
    for each in lines:
        said = [f"{side} {each[side]['minutes']:g} ({each[side]['longest_minutes']:g})" for side in (STANDING, NEW)]
        yield f"  {each['rule']:18} {', '.join(said)}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:g} s"
