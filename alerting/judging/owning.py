"""Who may judge which partition: a lease for each in the database, by the server's clock, and a version that fences.

A worker takes what is free, what is its own (left by a process of its name that died) and what has run out, up to its
fair share, and gives back what is beyond it. It holds a partition's row locked while it judges it, so nobody takes over
in the midst of a transaction; between two of them the version says whether the partition is still its own.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from alerting.desk import Desk
from alerting.judging.sharing import fair_share

LEASE = timedelta(seconds=15)
SIGNS_A_LEASE = 15
"""How often a lease is renewed while it lasts."""

log = structlog.get_logger()


class Fenced(RuntimeError):
    """Another worker has taken the partition over: this one must stop judging it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a worker's sign of life came to: rows of partitions newly its own, those it has lost, those to give back."""

    taken: Sequence[Any]
    lost: set[int]
    surplus: list[int]
    owns: int
    """How many it is to have arrays of, the surplus apart."""


class Ownership:
    """One worker's claims to partitions."""

    def __init__(self, partitions: Iterable[int], owner: str, lease: timedelta = LEASE) -> None:
        self.partitions = sorted(partitions)
        self.owner = owner
        self.lease = lease

    def bound_idleness(self, desk: Desk) -> None:
        """Let the server end this connection's transaction, should this process freeze within one for a lease."""
        desk.run("bound_idleness", limit_ms=str(round(self.lease.total_seconds() * 1000)))

    def claim(self, desk: Desk, held: Mapping[int, int]) -> Claim:
        """Give a sign of life, renew the leases of `held` (version by partition) and take what is missing.

        What is surplus stays owned until it is given back.
        """
        with desk.connection.transaction():
            workers = [row.owner for row in desk.all("sign_in", owner=self.owner, lease=self.lease)]
            own = {row.partition: row.version for row in desk.all("owned_by", owner=self.owner)}
            lost = {partition for partition, version in held.items() if own.get(partition) != version}
            if any(partition in own for partition in lost):
                self._rename()
                return Claim(taken=[], lost=set(held), surplus=[], owns=0)
            kept = sorted(held.keys() - lost)
            desk.run("renew", owner=self.owner, partitions=kept, lease=self.lease)
            share = fair_share(workers, self.owner, len(self.partitions))
            taken = desk.all(
                "take_over",
                owner=self.owner,
                partitions=[partition for partition in self.partitions if partition not in kept],
                lease=self.lease,
                most=max(share - len(kept), 0),
            )
        surplus = kept[share:]
        return Claim(taken=taken, lost=lost, surplus=surplus, owns=len(kept) + len(taken) - len(surplus))

    def renew(self, desk: Desk, held: Iterable[int]) -> None:
        """Give a sign of life amidst a long turn."""
        desk.run("sign_in", owner=self.owner, lease=self.lease)
        desk.run("renew", owner=self.owner, partitions=list(held), lease=self.lease)

    def give_back(self, desk: Desk, held: Mapping[int, int]) -> None:
        """Leave partitions to whoever takes them, without waiting for their leases."""
        desk.run("give_back", owner=self.owner, partitions=list(held), versions=list(held.values()))

    def sign_out(self, desk: Desk) -> None:
        """Be no more among the workers."""
        desk.run("sign_out", owner=self.owner)

    def _rename(self) -> None:
        """Two processes of one name would take their partitions from each other for ever."""
        twin, self.owner = self.owner, f"{self.owner}#{secrets.token_hex(3)}"
        log.warning("owner_name_taken", owner=twin, now_called=self.owner)
