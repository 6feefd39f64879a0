"""What one turn of a job came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """In words, and in numbers where the job counts its work; `more`: it stopped at its bound and goes on soon."""

    detail: str
    done: int = 0
    left: int = 0
    behind_s: int = 0
    more: bool = False
