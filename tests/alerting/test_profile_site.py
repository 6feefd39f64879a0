"""A site high up is watched only by limits that somebody there has approved."""

import pytest

from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.patient import PatientFacts, held_to
from alerting.profile.site import at_site
from tests.alerting.test_profile_patient import ADULT, TODAY
from tests.alerting.test_profile_rows import BLOCKS

(TABLE,) = (block for block in BLOCKS if "variant.altitude" in block)
PLACEHOLDER = "who approved it, of which hospital, and when"
UNAPPROVED = standard_adult() + TABLE.replace("below = ...", "below = 89.0").replace(
    "clear_at = ...", "clear_at = 90.0"
)
COUNTY = UNAPPROVED.replace(PLACEHOLDER, "Dr Tashi, county people's hospital, 2026-05-02")


@pytest.mark.parametrize("altitude_m", [-154, 0, 50, 2499])
def test_a_lowland_site_needs_nothing(altitude_m: int) -> None:
    profile = parse_profile(standard_adult())
    assert at_site(profile, altitude_m).variants == profile.variants


@pytest.mark.parametrize(
    ("body", "altitude_m", "complaint"),
    [
        (standard_adult(), 2500, r"2500 m.* no \[variant.altitude\]: add the table"),
        (standard_adult(), 4018, r"4018 m"),
        *(
            (UNAPPROVED.replace(PLACEHOLDER, said), 3000, r"3000 m.* nobody has approved")
            for said in (PLACEHOLDER, PLACEHOLDER.upper(), " ", "TODO", "...", "xxx", "n/a", "Not yet approved: draft")
        ),
        (COUNTY.replace("altitude_from_m = 2500", "altitude_from_m = 3000"), 2600, r"2600 m.* is for 3000 m"),
    ],
)
def test_a_site_high_up_is_refused_by_name(body: str, altitude_m: int, complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint):
        at_site(parse_profile(body), altitude_m)


def test_the_pages_table_holds_for_everybody_at_the_site() -> None:
    profile = at_site(parse_profile(COUNTY), 3650)
    patient = held_to(profile, PatientFacts(born_on=ADULT), on=TODAY)
    assert patient.name == "standard-adult+altitude"
    assert patient.by_rule["SPO2-REFER"].breach == 8900


def test_the_same_profile_serves_a_site_in_the_valley() -> None:
    profile = at_site(parse_profile(COUNTY), 1200)
    patient = held_to(profile, PatientFacts(born_on=ADULT, site_altitude_m=3650), on=TODAY)
    assert patient.by_rule["SPO2-REFER"].breach == 9300


def test_a_table_that_hides_the_critical_limit_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"variant.altitude: SPO2-REFER: limit spo2 < 85 % lies beyond"):
        parse_profile(COUNTY.replace("below = 89.0", "below = 85.0"))
