"""The registry file: the example is in order, every mistake is named with its line, field, value and the way out."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from care.reading import Problem
from care.registry import DeviceKind, FacilityRole, RiskColour, ServiceTier, SpecialGroup
from care.registry_file import RegistryFileError, parse_registry
from care.toml_lines import lines_of
from tests.care.example import SOURCE, TEXT, changed, example, line_with

FROM = "from = 2020-01-01T00:00:00+08:00"
FIRST = "device.C0:00:00:00:00:01"
COUNTY = "organisation.anping-county"


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(RegistryFileError) as caught:
        parse_registry(text, SOURCE)
    return caught.value.problems


def test_the_example_is_in_order() -> None:
    registry = example()
    assert [organisation.facility_role for organisation in registry.organisations] == [
        FacilityRole.COUNTY,
        FacilityRole.LEAD_HOSPITAL,
        FacilityRole.DESIGNATED,
        FacilityRole.SUB_DESIGNATED,
        FacilityRole.PARTNER_TERTIARY,
        FacilityRole.EMS_120,
        FacilityRole.TOWNSHIP_OR_COMMUNITY,
        FacilityRole.VILLAGE_ROOM,
    ]
    assert {(p.key, p.risk_colour, p.service_tier) for p in registry.patients} == {
        *((f"p{n}", RiskColour.YELLOW, ServiceTier.TWO) for n in range(1, 7)),
        ("p7", RiskColour.RED, ServiceTier.THREE),
    }
    assert registry.patients[-1].special_groups == (SpecialGroup.OVER_80, SpecialGroup.HOME_OXYGEN)
    assert [device.kind for device in registry.devices] == [
        *[DeviceKind.OXIMETER] * 4,
        DeviceKind.THERMOMETER,
        DeviceKind.OXIMETER,
    ]
    assert {(b.device[-2:], b.patient) for b in registry.bindings} == {(f"0{n}", f"p{n}") for n in range(1, 7)}


def test_a_password_is_not_shown() -> None:
    assert "demo" not in repr(example().people)


@pytest.mark.parametrize(
    ("old", "new", "part", "field", "says"),
    [
        ('colour = "red"', 'colour = "orange"', '"orange"', "patient.p7.risk_colour", "'orange' is not one of"),
        ('colour = "red"', 'color = "red"', "risk_color ", "patient.p7.risk_color", "did you mean 'risk_colour'"),
        ('kind = "thermometer"', "kind = 4", "kind = 4", "device.C0:00:00:00:00:05.kind", "4 is not one of oximeter"),
        ("born_on = 1939-12-05", 'born_on = "1939-12-05"', '"1939', "patient.p7.born_on", "without quotes"),
        ("born_on = 1939-12-05", "born_on = 1939-12-05T10:00:00Z", "1939", "patient.p7.born_on", "date alone"),
        ('"heping-centre"', '"hepin-centre"', "hepin-centre", "organisation.liuzhuang-village.parent", "did you mean"),
        ('family_doctor = "li"', 'family_doctor = "sun"', '"sun"', "patient.p1.family_doctor", "has another role"),
        ("tier = 3", "tier = 1", "tier = 1", "person.wang.service_tier", "1 is not one of 2, 3"),
        ("every_s = 1\n", "every_s = 0\n", "_s = 0", f"{FIRST}.expected_every_s", "0 is not within 1 to 10"),
        ("every_s = 1\n", "every_s = 11\n", "_s = 11", f"{FIRST}.expected_every_s", "11 is not within 1 to 10"),
        ("every_s = 1\n", "every_s = true\n", "_s = true", f"{FIRST}.expected_every_s", "whole number"),
        ('person = "ops"', 'person = "op"', '"op"', "duty[3].person", "is no person of this file; did you mean 'ops'"),
        ('role = "operations"\nperson', 'role = "operation"\nperson', '"operation"', "duty[3].role", "is not one of"),
        ('"json://localhost:9099/li"', '"localhost"', '"localhost"', "person.li.channels", "apprise"),
        ('"hearth-li-demo"', '"short"', '"short"', "person.li.password", "shorter than 8"),
        (FROM, "from = 2020-01-01", "from = 2020-01-01", "binding[0].from", "with its offset"),
        (FROM, "from = 2020-01-01T00:00:00", "T00:00:00", "binding[0].from", "with its offset"),
        ('["over_80"', '["over_90"', "over_90", "patient.p7.special_groups", "did you mean 'over_80'"),
        ("[gateway.gw-demo]", "[gateway.GW]", "[gateway.GW]", "gateway.GW", "is not of the form"),
        ('name = "马玉珍"\n', "", "[patient.p7]", "patient.p7.name", "is missing: add name = "),
        ('initials = "MYZ"', 'initials = ""', 'initials = ""', "patient.p7.initials", "is empty"),
        ("[[duty]]\n", "[[dutys]]\n", "[[dutys]]", "dutys", "is no table here"),
        ('"county"\n', '"county"\ntime_zone = "Mars"\n', "Mars", f"{COUNTY}.time_zone", "no time zone"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_line_field_and_way_out(old: str, new: str, part: str, field: str, says: str) -> None:
    text = changed((old, new))
    found = problems_of(text)
    assert field in [problem.field for problem in found]
    problem = next(problem for problem in found if problem.field == field)
    assert problem.line == line_with(text, part)
    assert says in problem.message


def test_a_device_too_slow_for_the_rules_is_told_the_way_out() -> None:
    text = changed(("every_s = 1\n", "every_s = 30\n"))
    [problem] = problems_of(text)
    assert str(problem) == (
        f"line {line_with(text, '_s = 30')}: {FIRST}.expected_every_s: 30 is not within 1 to 10"
        ": rules that watch continuously need a sample every 10 s; leave it out for single measurements"
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_lines() -> None:
    text = changed(
        ('sex = "male"', 'sex = "man"'), ("service_tier = 3", "service_tier = 9"), ('person = "ops"', 'person = "x"')
    )
    found = problems_of(text)
    assert [problem.field for problem in found] == ["person.wang.service_tier", "patient.p2.sex", "duty[3].person"]
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)


def test_what_is_no_toml_is_told_with_its_line() -> None:
    text = changed(('sex = "male"', "sex = male"))
    [problem] = problems_of(text)
    assert problem.line == line_with(text, "sex = male")


def test_a_device_bound_twice_at_a_time_is_told_at_the_later_binding() -> None:
    text = changed(
        ('device = "C0:00:00:00:00:02"\npatient', 'device = "C0:00:00:00:00:01"\npatient'),
    )
    [problem] = problems_of(text)
    assert problem.field == "binding[1].from"
    assert "is bound to 'p1' at that time too" in problem.message
    assert problem.line == line_with(text, 'patient = "p2"') + 1


def test_a_circle_of_parents_is_told() -> None:
    text = changed(('facility_role = "county"', 'facility_role = "county"\nparent = "liuzhuang-village"'))
    found = problems_of(text)
    assert len(found) == 4
    assert all("a circle" in problem.message for problem in found)


def test_an_end_before_its_beginning_is_told() -> None:
    begin = "from = 2020-01-01T00:00:00+08:00"
    text = changed((begin, f"{begin}\nuntil = 2019-12-31T00:00:00+08:00"))
    [problem] = problems_of(text)
    assert (problem.field, problem.line) == ("binding[0].until", line_with(text, "until = 2019"))


def test_lines_are_found_in_every_form_of_toml() -> None:
    text = '''# [not.a.table]
title = "a = b [c]"
many = [
    "x = 1",   # y = 2
    "]",
]
"quoted key".inner = 3
[a . "b.c"]
long = """
[a.fake]
key = 1
"""
after = { x = 1, y = [1, 2] }
[[list]]
one = 1
[list.sub]
deep = 1
[[list]] # = [x]
one = 2
'''
    assert lines_of(text) == {
        ("title",): 2,
        ("many",): 3,
        ("quoted key",): 7,
        ("quoted key", "inner"): 7,
        ("a",): 8,
        ("a", "b.c"): 8,
        ("a", "b.c", "long"): 9,
        ("a", "b.c", "after"): 13,
        ("list",): 14,
        ("list", 0): 14,
        ("list", 0, "one"): 15,
        ("list", 0, "sub"): 16,
        ("list", 0, "sub", "deep"): 17,
        ("list", 1): 18,
        ("list", 1, "one"): 19,
    }


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_gives_a_registry_or_problems_and_nothing_else(data: st.DataObject) -> None:
    lines = TEXT.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(
        st.sampled_from(
            ["", "[[patient]]", "[person]", "x = [1, {a = 2}]", "name = 1", "[a.b.c]", "channels = 3", "key = '''"]
        )
    )
    with contextlib.suppress(RegistryFileError):
        parse_registry("\n".join(lines), SOURCE)
