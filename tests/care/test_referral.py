"""The referral table over its whole input space, held against the four principles as sentences of their own."""

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from care.referral import (
    FLAGS,
    IN_DANGER,
    LADDER,
    ROWS,
    Ask,
    Driver,
    Facility,
    Outcome,
    Picture,
    Severity,
    Vehicle,
    Ward,
    candidates,
    needed,
    route,
)
from care.registry import Capability, FacilityRole

SPACE = [
    Picture(severity=severity, driver=driver, **dict(zip(FLAGS, flags, strict=True)))
    for severity, driver in product(Severity, Driver)
    for flags in product((False, True), repeat=len(FLAGS))
]
GRAVE = (Severity.SEVERE, Severity.CRITICAL)


def test_the_space_is_whole_and_every_row_is_met() -> None:
    assert len(SPACE) == 5 * 3 * 2**6 == 960
    met = Counter(route(picture).clause for picture in SPACE)
    assert set(met) == {row.clause for row in ROWS}
    assert sum(met.values()) == 960


def test_immediate_danger_goes_by_120_whatever_else_is_said_and_a_person_calls() -> None:
    for picture in SPACE:
        found = route(picture)
        assert (found.clause == "0") == picture.immediate_danger
        assert (found.ward is Ward.EMERGENCY) == picture.immediate_danger
        if found.vehicle is Vehicle.EMS_120:
            assert Ask.CALL_120 in found.asks, picture


def test_who_is_severe_or_critical_never_stays_and_goes_where_what_drives_it_is_treated() -> None:
    for picture in SPACE:
        if picture.immediate_danger or picture.severity not in GRAVE:
            continue
        found = route(picture)
        underlying = picture.driver is Driver.UNDERLYING
        assert found.destination is (FacilityRole.LEAD_HOSPITAL if underlying else FacilityRole.DESIGNATED), picture
        assert found.vehicle is Vehicle.EMS_120
        if not underlying:
            assert found.ward is (Ward.ICU if picture.severity is Severity.CRITICAL else Ward.SUB_ICU)


def test_an_unknown_driver_is_asked_for_where_it_decides() -> None:
    for picture in SPACE:
        if picture.driver is not Driver.UNKNOWN:
            assert Ask.DRIVER not in route(picture).asks
            continue
        answers = {
            route(replace(picture, driver=driver)).destination for driver in (Driver.INFECTION, Driver.UNDERLYING)
        }
        if len(answers) > 1:
            assert Ask.DRIVER in route(picture).asks, picture
            assert route(picture).destination is FacilityRole.DESIGNATED


def test_who_stays_is_light_not_seriously_ill_and_can_be_treated_there() -> None:
    for picture in SPACE:
        found = route(picture)
        stays = found.destination is None
        assert stays == (
            picture.severity in (Severity.ASYMPTOMATIC, Severity.MILD)
            and not picture.immediate_danger
            and not picture.beyond_capacity
            and not picture.needs_haemodialysis
            and not picture.serious_disease
            and picture.home_permits
        ), picture
        if stays:
            assert (found.vehicle, found.ward) == (Vehicle.NONE, Ward.NONE)
            assert (Ask.VISIT in found.asks) == picture.immobile


def test_more_danger_is_never_treated_lower() -> None:
    height = {None: 0, FacilityRole.SUB_DESIGNATED: 1, FacilityRole.DESIGNATED: 2, FacilityRole.LEAD_HOSPITAL: 2}
    for picture in SPACE:
        before = height[route(picture).destination]
        for flag in ("immediate_danger", "beyond_capacity", "needs_haemodialysis", "serious_disease"):
            assert height[route(replace(picture, **{flag: True})).destination] >= before, (picture, flag)
        worse = [each for each in Severity if list(Severity).index(each) > list(Severity).index(picture.severity)]
        for severity in worse:
            assert height[route(replace(picture, severity=severity)).destination] >= before, (picture, severity)


@pytest.mark.parametrize("is_child", [False, True])
@pytest.mark.parametrize("is_pregnant", [False, True])
def test_what_is_needed_is_what_the_patient_is(is_child: bool, is_pregnant: bool) -> None:
    for picture in SPACE:
        needs = needed(route(picture), picture, is_child=is_child, is_pregnant=is_pregnant, is_on_dialysis=False)
        dialysed = needed(route(picture), picture, is_child=is_child, is_pregnant=is_pregnant, is_on_dialysis=True)
        assert dialysed == needs | {Capability.HAEMODIALYSIS}
        assert (Capability.PAEDIATRICS in needs) == is_child
        assert (Capability.OBSTETRICS in needs) == is_pregnant
        assert (Capability.HAEMODIALYSIS in needs) == picture.needs_haemodialysis
        assert (Capability.ICU in needs) == (picture.severity is Severity.CRITICAL)


def hospital(
    number: int,
    role: FacilityRole,
    *capabilities: Capability,
    free_beds: int | None = None,
    order: int | None = None,
) -> Facility:
    return Facility(
        organisation_id=number, role=role, capabilities=frozenset(capabilities), free_beds=free_beds, order=order
    )


def asked(
    destination: FacilityRole | None,
    *facilities: Facility,
    needs: frozenset[Capability] = frozenset(),
    clause: str = "",
) -> list[int]:
    outcome = Outcome(clause=clause, destination=destination, ward=Ward.GENERAL, vehicle=Vehicle.TRANSFER_VEHICLE)
    return [each.organisation_id for each in candidates(outcome, needs, facilities)[0]]


def test_the_grids_own_hospital_is_asked_first_then_its_backup_then_others_of_the_role_then_higher_ones() -> None:
    found = asked(
        FacilityRole.SUB_DESIGNATED,
        hospital(1, FacilityRole.PARTNER_TERTIARY),
        hospital(2, FacilityRole.SUB_DESIGNATED),
        hospital(3, FacilityRole.DESIGNATED, order=1),
        hospital(4, FacilityRole.SUB_DESIGNATED, order=2),
        hospital(5, FacilityRole.SUB_DESIGNATED, order=1),
        hospital(6, FacilityRole.TOWNSHIP_OR_COMMUNITY, order=1),
    )
    assert found == [5, 4, 2, 3, 1]


def test_who_is_full_is_asked_last_but_asked() -> None:
    found = asked(
        FacilityRole.DESIGNATED,
        hospital(1, FacilityRole.DESIGNATED, order=1, free_beds=0),
        hospital(2, FacilityRole.LEAD_HOSPITAL, free_beds=3),
        hospital(3, FacilityRole.DESIGNATED, order=2),
    )
    assert found == [3, 2, 1]


def test_who_can_not_do_what_is_needed_is_passed_over_and_it_is_said_why() -> None:
    outcome = route(Picture(severity=Severity.MILD, driver=Driver.INFECTION, needs_haemodialysis=True))
    without, with_it = hospital(1, FacilityRole.DESIGNATED), hospital(2, FacilityRole.LEAD_HOSPITAL, *Capability)
    able, passed_over = candidates(outcome, frozenset({Capability.HAEMODIALYSIS}), [without, with_it])
    assert able == [with_it]
    assert [(each.facility, each.lacks) for each in passed_over] == [(without, (Capability.HAEMODIALYSIS,))]


def test_in_danger_of_life_the_nearest_is_asked_a_bed_or_none_and_nobody_is_left_out() -> None:
    full = hospital(1, FacilityRole.DESIGNATED, order=1, free_beds=0)
    far = hospital(2, FacilityRole.PARTNER_TERTIARY, free_beds=20)
    able = hospital(3, FacilityRole.LEAD_HOSPITAL, Capability.OBSTETRICS, free_beds=1)
    assert asked(FacilityRole.DESIGNATED, full, far, able, clause=IN_DANGER) == [1, 3, 2]
    wanted = frozenset({Capability.OBSTETRICS})
    assert asked(FacilityRole.DESIGNATED, full, far, able, clause=IN_DANGER, needs=wanted) == [3, 1, 2]


def test_nobody_is_asked_for_who_stays() -> None:
    assert asked(None, hospital(1, FacilityRole.DESIGNATED)) == []


def test_the_ladder_leads_up_from_every_destination() -> None:
    assert set(LADDER) == {row.destination for row in ROWS if row.destination}
    for destination, ladder in LADDER.items():
        assert ladder[0] is destination
