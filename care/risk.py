"""Risk colour: which population group a patient belongs to, by the annex's table, else by its score.

Source: 新冠肺炎相关健康风险评估标准 (annex; its comparison signs were restored from a scan: CLINICAL 2.3). The table is
asked first; only what it does not hold is scored. Both results are kept: where the score is higher than the table, or
an assessment would lower a colour that stands, somebody is asked to look. Nothing here ever lowers a colour by itself.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from care.registry import RiskColour, UnderlyingDisease, Vaccination


class AgeBand(StrEnum):
    """Age in whole years. Exactly 80 stands in two bands of the annex and is taken as the higher."""

    UNDER_65 = "under_65"
    FROM_65_TO_79 = "from_65_to_79"
    FROM_80 = "from_80"


class Provenance(StrEnum):
    """Which part of the annex gave the colour."""

    TABLE = "table"
    SCORE = "score"


Cell = tuple[AgeBand, UnderlyingDisease, Vaccination]

_AGES, _DISEASES, _VACCINATIONS = tuple(AgeBand), tuple(UnderlyingDisease), tuple(Vaccination)
_PART = (Vaccination.PARTIAL, Vaccination.NONE)

TABLE: tuple[tuple[str, RiskColour, tuple[AgeBand, ...], tuple[UnderlyingDisease, ...], tuple[Vaccination, ...]], ...]
TABLE = (
    ("green-1", RiskColour.GREEN, _AGES[:2], (UnderlyingDisease.NONE,), _VACCINATIONS),
    ("green-2", RiskColour.GREEN, _AGES[:2], (UnderlyingDisease.STABLE,), (Vaccination.FULL,)),
    ("yellow-1", RiskColour.YELLOW, _AGES[:1], (UnderlyingDisease.UNSTABLE,), (Vaccination.FULL,)),
    ("yellow-2", RiskColour.YELLOW, _AGES[1:2], (UnderlyingDisease.STABLE,), _PART),
    ("yellow-3", RiskColour.YELLOW, _AGES[2:], _DISEASES[:2], (Vaccination.FULL,)),
    ("red-1", RiskColour.RED, _AGES[:1], (UnderlyingDisease.UNSTABLE,), _PART),
    ("red-2", RiskColour.RED, _AGES[1:2], (UnderlyingDisease.UNSTABLE,), _VACCINATIONS),
    ("red-3", RiskColour.RED, _AGES[2:], _DISEASES[1:], _PART),
)
"""The annex's table: clause, colour, and the ages, diseases and vaccinations it holds for. No cell is in two rows."""

AGE_POINTS = dict(zip(_AGES, (0, 1, 2), strict=True))
DISEASE_POINTS = dict(zip(_DISEASES, (0, 1, 2), strict=True))
VACCINATION_POINTS = dict(zip(_VACCINATIONS, (0, 1, 2), strict=True))
YELLOW_FROM, RED_FROM = 2, 4
"""Points from which the score gives yellow and red; of six at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskFacts:
    """What the annex asks of a patient."""

    age_band: AgeBand
    disease: UnderlyingDisease
    vaccination: Vaccination


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """A colour with where it comes from. `clause` is a row of TABLE, or "score"; `by_table` None: in no row."""

    colour: RiskColour
    provenance: Provenance
    clause: str
    by_table: RiskColour | None
    points: int
    by_score: RiskColour

    @property
    def is_disputed(self) -> bool:
        """Say whether the score is above the table: somebody should look at the colour."""
        return rank_of(self.by_score) > rank_of(self.colour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recolouring:
    """What an assessment does to the colour that stands; `review`: why somebody is asked to look, else empty."""

    colour: RiskColour
    review: str


DISPUTED = "score_above_table"
WOULD_LOWER = "would_lower"


def assess(facts: RiskFacts) -> Assessment:
    """Give the colour of a patient by table, else by score; total over the 27 cells."""
    points = AGE_POINTS[facts.age_band] + DISEASE_POINTS[facts.disease] + VACCINATION_POINTS[facts.vaccination]
    by_score = (
        RiskColour.RED if points >= RED_FROM else RiskColour.YELLOW if points >= YELLOW_FROM else RiskColour.GREEN
    )
    row = _CLAUSES.get((facts.age_band, facts.disease, facts.vaccination))
    clause, by_table = row or ("score", None)
    return Assessment(
        colour=by_table or by_score,
        provenance=Provenance.TABLE if by_table else Provenance.SCORE,
        clause=clause,
        by_table=by_table,
        points=points,
        by_score=by_score,
    )


def recolour(standing: RiskColour, assessment: Assessment) -> Recolouring:
    """Raise a colour that stands where the assessment is higher; a lower one only asks somebody to look."""
    if rank_of(assessment.colour) > rank_of(standing):
        return Recolouring(colour=assessment.colour, review=DISPUTED if assessment.is_disputed else "")
    if rank_of(assessment.by_score) > rank_of(standing):
        return Recolouring(colour=standing, review=DISPUTED)
    return Recolouring(colour=standing, review=WOULD_LOWER if assessment.colour != standing else "")


def age_band(born_on: date, today: date) -> AgeBand:
    """Give the band of somebody's age on a day; who was born on 29 February turns older on 1 March."""
    age = today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))
    return AgeBand.FROM_80 if age >= 80 else AgeBand.FROM_65_TO_79 if age >= 65 else AgeBand.UNDER_65


def rank_of(colour: RiskColour) -> int:
    """Order colours by risk: green 0, yellow 1, red 2."""
    return tuple(RiskColour).index(colour)


def _clauses() -> dict[Cell, tuple[str, RiskColour]]:
    cells: dict[Cell, tuple[str, RiskColour]] = {}
    for clause, colour, ages, diseases, vaccinations in TABLE:
        for cell in ((a, d, v) for a in ages for d in diseases for v in vaccinations):
            assert cell not in cells, f"{cell} stands in {cells[cell][0]} and in {clause}"
            cells[cell] = (clause, colour)
    return cells


_CLAUSES = _clauses()
