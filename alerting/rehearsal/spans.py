"""Days cut where what a patient is held to may change: at his midnights, and where an order begins or ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from alerting.profile.patient import PatientFacts
from alerting.zones import zone_of
from vitals.sustained import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A doctor's order as it stood: from when until when a rule had this limit. Of several the newest holds."""

    number: int
    rule: str
    limit: Limit
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a patient's day, and his facts in it."""

    begins_at: datetime
    ends_at: datetime
    on: date
    facts: PatientFacts


def spans_of(facts: PatientFacts, orders: Sequence[Order], *, zone: str, edges: Sequence[datetime]) -> list[Span]:
    """Cut the time from the first of `edges` to the last, at all of them too; `facts` are those without orders."""
    local, begins_at, ends_at = zone_of(zone), edges[0], edges[-1]
    first, last = begins_at.astimezone(local).date(), ends_at.astimezone(local).date()
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    midnights = [datetime(day.year, day.month, day.day, tzinfo=local).astimezone(begins_at.tzinfo) for day in days]
    cuts = {*midnights, *edges, *(order.begins_at for order in orders), *(order.ends_at for order in orders)}
    pieces = sorted(at for at in cuts if begins_at <= at <= ends_at)
    return [
        Span(
            begins_at=begin,
            ends_at=end,
            on=begin.astimezone(local).date(),
            facts=_ordered(facts, orders, begin),
        )
        for begin, end in pairwise(pieces)
    ]


def _ordered(facts: PatientFacts, orders: Sequence[Order], at: datetime) -> PatientFacts:
    standing = sorted((o for o in orders if o.begins_at <= at < o.ends_at), key=lambda order: order.number)
    return replace(
        facts,
        orders={order.rule: order.limit for order in standing},
        order_numbers={order.rule: order.number for order in standing},
    )
