"""The 27 cells of the annex, written out by hand from its text (CLINICAL 2.3), and what an assessment may change."""

from datetime import date
from itertools import product

import pytest

from care.registry import RiskColour, UnderlyingDisease, Vaccination
from care.risk import (
    DISPUTED,
    WOULD_LOWER,
    AgeBand,
    Provenance,
    RiskFacts,
    age_band,
    assess,
    rank_of,
    recolour,
)

# One line an age band and disease; the three columns are full, partial, none. Capital: by table; small: by score.
EXPECTED = """
under_65       none      G G G
under_65       stable    G y y
under_65       unstable  Y R R
from_65_to_79  none      G G G
from_65_to_79  stable    G Y Y
from_65_to_79  unstable  R R R
from_80        none      Y y r
from_80        stable    Y R R
from_80        unstable  r R R
"""
LETTERS = {"g": RiskColour.GREEN, "y": RiskColour.YELLOW, "r": RiskColour.RED}


def cells() -> dict[tuple[AgeBand, UnderlyingDisease, Vaccination], str]:
    written = {}
    for line in EXPECTED.split("\n")[1:-1]:
        age, disease, *letters = line.split()
        for vaccination, letter in zip(Vaccination, letters, strict=True):
            written[AgeBand(age), UnderlyingDisease(disease), vaccination] = letter
    return written


CELLS = cells()


def facts(age: AgeBand, disease: UnderlyingDisease, vaccination: Vaccination) -> RiskFacts:
    return RiskFacts(age_band=age, disease=disease, vaccination=vaccination)


def test_there_are_27_cells() -> None:
    assert set(CELLS) == set(product(AgeBand, UnderlyingDisease, Vaccination))
    assert len(CELLS) == 27


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(cell))
def test_a_cell_has_the_colour_and_the_provenance_of_the_annex(
    cell: tuple[AgeBand, UnderlyingDisease, Vaccination],
) -> None:
    found, letter = assess(facts(*cell)), CELLS[cell]
    assert found.colour is LETTERS[letter.lower()]
    assert found.provenance is (Provenance.TABLE if letter.isupper() else Provenance.SCORE)
    assert (found.clause == "score") == (found.by_table is None) == letter.islower()


def test_five_cells_are_scored_and_seven_differ_from_their_score() -> None:
    found = {cell: assess(facts(*cell)) for cell in CELLS}
    assert sum(each.by_table is None for each in found.values()) == 5
    above = {cell for cell, each in found.items() if each.by_table and rank_of(each.by_score) > rank_of(each.by_table)}
    below = {cell for cell, each in found.items() if each.by_table and rank_of(each.by_score) < rank_of(each.by_table)}
    assert above == {
        (AgeBand.UNDER_65, UnderlyingDisease.NONE, Vaccination.NONE),
        (AgeBand.FROM_65_TO_79, UnderlyingDisease.NONE, Vaccination.PARTIAL),
        (AgeBand.FROM_65_TO_79, UnderlyingDisease.NONE, Vaccination.NONE),
        (AgeBand.FROM_65_TO_79, UnderlyingDisease.STABLE, Vaccination.FULL),
        (AgeBand.FROM_65_TO_79, UnderlyingDisease.STABLE, Vaccination.NONE),
    }
    assert below == {
        (AgeBand.UNDER_65, UnderlyingDisease.UNSTABLE, Vaccination.PARTIAL),
        (AgeBand.FROM_65_TO_79, UnderlyingDisease.UNSTABLE, Vaccination.FULL),
    }
    assert {cell for cell, each in found.items() if each.is_disputed} == above


@pytest.mark.parametrize("standing", RiskColour)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(cell))
def test_no_assessment_lowers_a_colour_and_what_it_would_change_is_looked_at(
    cell: tuple[AgeBand, UnderlyingDisease, Vaccination], standing: RiskColour
) -> None:
    assessment = assess(facts(*cell))
    new = recolour(standing, assessment)
    assert rank_of(new.colour) == max(rank_of(standing), rank_of(assessment.colour))
    if rank_of(assessment.by_score) > rank_of(new.colour):
        assert new.review == DISPUTED
    elif rank_of(assessment.colour) < rank_of(new.colour):
        assert new.review == (WOULD_LOWER if rank_of(assessment.by_score) <= rank_of(standing) else DISPUTED)
    else:
        assert new.review == ""


@pytest.mark.parametrize(
    ("born_on", "today", "expected"),
    [
        (date(1946, 11, 22), date(2026, 11, 21), AgeBand.FROM_65_TO_79),
        (date(1946, 11, 22), date(2026, 11, 22), AgeBand.FROM_80),
        (date(1961, 11, 23), date(2026, 11, 22), AgeBand.UNDER_65),
        (date(1961, 11, 22), date(2026, 11, 22), AgeBand.FROM_65_TO_79),
        (date(1948, 2, 29), date(2028, 2, 28), AgeBand.FROM_65_TO_79),
        (date(1948, 2, 29), date(2028, 2, 29), AgeBand.FROM_80),
        (date(1944, 2, 29), date(2025, 2, 28), AgeBand.FROM_80),
        (date(1961, 2, 28), date(2026, 2, 28), AgeBand.FROM_65_TO_79),
        (date(2026, 11, 22), date(2026, 11, 22), AgeBand.UNDER_65),
    ],
)
def test_age_bands_begin_on_the_birthday_and_80_is_the_higher(born_on: date, today: date, expected: AgeBand) -> None:
    assert age_band(born_on, today) is expected
