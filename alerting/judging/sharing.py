"""How many partitions each of several workers is to own: as many as the others, or one more."""

from collections.abc import Sequence


def fair_share(workers: Sequence[str], owner: str, partitions: int) -> int:
    """Give one worker's share of the partitions; the shares of all workers that know of each other add up to them."""
    names = sorted({*workers, owner})
    each, over = divmod(partitions, len(names))
    return each + (names.index(owner) < over)
