"""A setting's fault in one line: named as in the environment, and no secret shown."""

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator

from vitals.setting_faults import in_lines


class Pump(BaseModel):
    """A service's settings in small."""

    pump_rate: float = Field(default=1.0, gt=0)
    pump_is_on: bool = False
    pump_password: str = Field(default="", max_length=3)
    pump_secret: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _fits_together(self) -> "Pump":
        if self.pump_is_on and self.pump_rate > 100:
            raise ValueError("pump_rate is too high for a pump that is on")
        return self


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"pump_rate": "0"}, "HEARTHWATCH_PUMP_RATE: '0' is not more than 0.0"),
        ({"pump_is_on": "perhaps"}, "HEARTHWATCH_PUMP_IS_ON: 'perhaps' is not true or false"),
        ({"pump_password": "s3cr3t"}, "HEARTHWATCH_PUMP_PASSWORD: what it holds is too long: at most 3 wanted"),
        (
            {"pump_is_on": "1", "pump_rate": "101", "pump_password": "abc"},
            "pump_rate is too high for a pump that is on",
        ),
        ({"pump_rate": "x" * 200}, f"HEARTHWATCH_PUMP_RATE: '{'x' * 79}… is not a number"),
    ],
    ids=str,
)
def test_a_fault_is_said_in_a_line(given: dict[str, str], line: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Pump.model_validate(given)
    assert in_lines(caught.value.errors()) == [line]
