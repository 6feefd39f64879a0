"""The registry of a bench's made-up county, as `care load` reads it: centre, doctor, gateways, who wears what."""

CENTRE = """
[organisation.centre]
name = "测试中心"
name_en = "Bench centre"
facility_role = "township_or_community"

[person.doctor]
name = "医生"
name_en = "Doctor"
organisation = "centre"
role = "family_doctor"
service_tier = 2
"""
_GATEWAY = """
[gateway.{gateway}]
organisation = "centre"
"""
_WEARER = """
[patient.{key}]
name = "患者{key}"
initials = "{key}"
born_on = 1950-01-01
sex = "female"
organisation = "centre"
family_doctor = "doctor"
risk_colour = "green"
service_tier = 2

[device."{address}"]
kind = "oximeter"
expected_every_s = 1

[[binding]]
device = "{address}"
patient = "{key}"
from = 2020-01-01T00:00:00+08:00
"""


def gateway(gateway_id: str) -> str:
    """Write a gateway of the centre."""
    return _GATEWAY.format(gateway=gateway_id)


def wearer(key: str, address: str) -> str:
    """Write a patient and the oximeter she wears since 2020; what is appended belongs to her binding."""
    return _WEARER.format(key=key, address=address)
