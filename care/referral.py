"""Where a patient goes: the four grading principles as one total decision table, first match from the top.

Source: the county's four grading principles (分级收治四项原则) in the order of CLINICAL 5.1. Principle 4 is asked
before 3, as its question is what drives the illness; where nobody knows, 3 holds and somebody is asked. Rows marked
"house" are ours, where the principles say nothing. A person has said all that is asked; software never dials 120.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from care.registry import Capability, FacilityRole


class Severity(StrEnum):
    """How ill somebody is, as a person said it (无症状/轻型/中型/重型/危重型)."""

    ASYMPTOMATIC = "asymptomatic"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"
    CRITICAL = "critical"


class Driver(StrEnum):
    """What drives the illness: the infection, or an underlying disease."""

    INFECTION = "infection"
    UNDERLYING = "underlying"
    UNKNOWN = "unknown"


class Ward(StrEnum):
    """Where in the hospital."""

    EMERGENCY = "emergency"
    ICU = "icu"
    SUB_ICU = "sub_icu"
    GENERAL = "general"
    BY_HOSPITAL = "by_hospital"
    NONE = "none"


class Vehicle(StrEnum):
    """How one gets there. EMS_120 is called by a person."""

    EMS_120 = "ems_120"
    TRANSFER_VEHICLE = "transfer_vehicle"
    NONE = "none"


class Ask(StrEnum):
    """What has to be asked of a person beside the decision."""

    DRIVER = "driver"
    CALL_120 = "call_120"
    VISIT = "visit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a person has said of a patient. `home_permits`: he can be treated where he lives, clinicians come to him.

    `beyond_capacity`: the disease is more than primary care and a sub-designated hospital can treat.
    `serious_disease`: a serious underlying disease (heart, tumour ...), stable at present.
    """

    severity: Severity
    driver: Driver
    immediate_danger: bool = False
    beyond_capacity: bool = False
    needs_haemodialysis: bool = False
    serious_disease: bool = False
    immobile: bool = False
    home_permits: bool = True


FLAGS = tuple(field.name for field in fields(Picture))[2:]
"""What is said yes or no to, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where to. `destination` None: he stays where he lives. `clause` is the row's and stands in docs/referral.md."""

    clause: str
    destination: FacilityRole | None
    ward: Ward
    vehicle: Vehicle
    asks: tuple[Ask, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the decision table. `words` say in English and Chinese for whom it is."""

    clause: str
    matches: Callable[[Picture], bool]
    destination: FacilityRole | None
    ward: Ward
    vehicle: Vehicle
    words: str
    words_zh: str
    asks: tuple[Ask, ...] = ()


IN_DANGER = "0"
"""The clause of immediate danger of life."""

GRAVE = frozenset({Severity.SEVERE, Severity.CRITICAL})

ROWS: tuple[Row, ...] = (
    Row(
        clause=IN_DANGER,
        matches=lambda p: p.immediate_danger,
        destination=FacilityRole.DESIGNATED,
        ward=Ward.EMERGENCY,
        vehicle=Vehicle.EMS_120,
        words="immediate danger to life",
        words_zh="有即刻生命危险",
        asks=(Ask.CALL_120,),
    ),
    Row(
        clause="4a",
        matches=lambda p: p.severity in GRAVE and p.driver is Driver.UNDERLYING,
        destination=FacilityRole.LEAD_HOSPITAL,
        ward=Ward.BY_HOSPITAL,
        vehicle=Vehicle.EMS_120,
        words="severe or critical, driven by an underlying disease",
        words_zh="以基础疾病为主的重型、危重型",
        asks=(Ask.CALL_120,),
    ),
    Row(
        clause="3a",
        matches=lambda p: p.severity is Severity.CRITICAL,
        destination=FacilityRole.DESIGNATED,
        ward=Ward.ICU,
        vehicle=Vehicle.EMS_120,
        words="critical, driven by the infection",
        words_zh="以新冠感染为主的危重型",
        asks=(Ask.CALL_120,),
    ),
    Row(
        clause="3b",
        matches=lambda p: p.severity is Severity.SEVERE,
        destination=FacilityRole.DESIGNATED,
        ward=Ward.SUB_ICU,
        vehicle=Vehicle.EMS_120,
        words="severe, driven by the infection",
        words_zh="以新冠感染为主的重型",
        asks=(Ask.CALL_120,),
    ),
    Row(
        clause="3c",
        matches=lambda p: p.needs_haemodialysis and p.driver is not Driver.UNDERLYING,
        destination=FacilityRole.DESIGNATED,
        ward=Ward.GENERAL,
        vehicle=Vehicle.TRANSFER_VEHICLE,
        words="infected and needs haemodialysis",
        words_zh="感染且需血液透析",
    ),
    Row(
        clause="4b",
        matches=lambda p: p.beyond_capacity,
        destination=FacilityRole.LEAD_HOSPITAL,
        ward=Ward.BY_HOSPITAL,
        vehicle=Vehicle.TRANSFER_VEHICLE,
        words="a disease beyond what primary care and a sub-designated hospital can treat",
        words_zh="疾病超出基层和亚定点医院救治能力",
    ),
    Row(
        clause="house-1",
        matches=lambda p: p.needs_haemodialysis,
        destination=FacilityRole.LEAD_HOSPITAL,
        ward=Ward.GENERAL,
        vehicle=Vehicle.TRANSFER_VEHICLE,
        words="needs haemodialysis for an underlying disease",
        words_zh="因基础疾病需血液透析",
    ),
    Row(
        clause="2a",
        matches=lambda p: p.severity is Severity.MODERATE,
        destination=FacilityRole.SUB_DESIGNATED,
        ward=Ward.GENERAL,
        vehicle=Vehicle.TRANSFER_VEHICLE,
        words="moderate",
        words_zh="中型（普通型）",
    ),
    Row(
        clause="2b",
        matches=lambda p: p.serious_disease,
        destination=FacilityRole.SUB_DESIGNATED,
        ward=Ward.GENERAL,
        vehicle=Vehicle.TRANSFER_VEHICLE,
        words="asymptomatic or mild, with a serious underlying disease that is stable",
        words_zh="合并严重基础疾病但病情稳定的无症状、轻型",
    ),
    Row(
        clause="house-2",
        matches=lambda p: not p.home_permits,
        destination=FacilityRole.SUB_DESIGNATED,
        ward=Ward.GENERAL,
        vehicle=Vehicle.TRANSFER_VEHICLE,
        words="asymptomatic or mild, and can not be treated where he lives",
        words_zh="无症状、轻型，居住处不具备治疗条件",
    ),
    Row(
        clause="1b",
        matches=lambda p: p.immobile,
        destination=None,
        ward=Ward.NONE,
        vehicle=Vehicle.NONE,
        words="asymptomatic or mild, moves with difficulty: treated where he lives, clinicians come to him",
        words_zh="行动不便的无症状、轻型：就地治疗，医务人员上门",
        asks=(Ask.VISIT,),
    ),
    Row(
        clause="1a",
        matches=lambda _: True,
        destination=None,
        ward=Ward.NONE,
        vehicle=Vehicle.NONE,
        words="asymptomatic or mild, without a serious disease: at home, with close monitoring",
        words_zh="无严重基础疾病的无症状、轻型：居家治疗，密切监测",
    ),
)
"""First match from the top; the last holds for all."""

LADDER: dict[FacilityRole, tuple[FacilityRole, ...]] = {
    FacilityRole.SUB_DESIGNATED: (
        FacilityRole.SUB_DESIGNATED,
        FacilityRole.DESIGNATED,
        FacilityRole.LEAD_HOSPITAL,
        FacilityRole.PARTNER_TERTIARY,
    ),
    FacilityRole.DESIGNATED: (FacilityRole.DESIGNATED, FacilityRole.LEAD_HOSPITAL, FacilityRole.PARTNER_TERTIARY),
    FacilityRole.LEAD_HOSPITAL: (FacilityRole.LEAD_HOSPITAL, FacilityRole.PARTNER_TERTIARY),
}
"""Who is asked where nobody of the wanted role takes him: never below it, as that would be below what he needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A hospital that may be asked. `order`: its place in the patient's grid (1 is first), None where not listed.

    `free_beds` None: it does not say.
    """

    organisation_id: int
    role: FacilityRole
    capabilities: frozenset[Capability]
    free_beds: int | None
    order: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A hospital that is not asked, and what it lacks."""

    facility: Facility
    lacks: tuple[Capability, ...]


def route(picture: Picture) -> Outcome:
    """Give where the patient goes; total over all pictures."""
    row = next(row for row in ROWS if row.matches(picture))
    unsure = row.clause in _BY_DRIVER and picture.driver is Driver.UNKNOWN
    return Outcome(
        clause=row.clause,
        destination=row.destination,
        ward=row.ward,
        vehicle=row.vehicle,
        asks=(*row.asks, *((Ask.DRIVER,) if unsure else ())),
    )


_BY_DRIVER = frozenset({"3a", "3b", "3c"})


def needed(
    outcome: Outcome, picture: Picture, *, is_child: bool, is_pregnant: bool, is_on_dialysis: bool
) -> frozenset[Capability]:
    """Say what the hospital must be able to do."""
    wants = (
        (Capability.ICU, outcome.ward is Ward.ICU or picture.severity is Severity.CRITICAL),
        (Capability.HAEMODIALYSIS, picture.needs_haemodialysis or is_on_dialysis),
        (Capability.PAEDIATRICS, is_child),
        (Capability.OBSTETRICS, is_pregnant),
    )
    return frozenset(capability for capability, wanted in wants if wanted)


def candidates(
    outcome: Outcome, needs: frozenset[Capability], facilities: Sequence[Facility]
) -> tuple[list[Facility], list[PassedOver]]:
    """Order who is asked, one after the other, and say who is not and why.

    By role as the ladder has it; within a role the grid's own first, in its order. Who is full is asked last: no
    hospital may refuse, but one with a bed is quicker. Without destination nobody is asked. In danger of life (clause
    0) the nearest is asked first, a bed or none, and who lacks something is asked after all who do not.
    """
    at_once = outcome.clause == IN_DANGER
    ladder = LADDER.get(outcome.destination, ()) if outcome.destination else ()
    able, unable = [], []
    for facility in facilities:
        if facility.role not in ladder:
            continue
        lacks = tuple(sorted(needs - facility.capabilities))
        if lacks and not at_once:
            unable.append(PassedOver(facility=facility, lacks=lacks))
        else:
            able.append(facility)
    able.sort(key=lambda each: (at_once and not needs <= each.capabilities, *_turn(each, ladder, at_once=at_once)))
    return able, unable


def _turn(facility: Facility, ladder: Sequence[FacilityRole], *, at_once: bool) -> tuple[bool, int, bool, int, int]:
    place = facility.order
    return (
        facility.free_beds == 0 and not at_once,
        ladder.index(facility.role),
        place is None,
        place or 0,
        facility.organisation_id,
    )
