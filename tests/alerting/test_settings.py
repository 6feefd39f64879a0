"""What notices can be set to stands in their page, with its default."""

import re
from pathlib import Path

from alerting.settings import AlertingSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "notices.md"
OF_NOTICES = re.compile(r"link_|alerting_link_|alerting_throttle_|alerting_console_url")


def test_every_setting_of_notices_is_documented_with_its_default() -> None:
    told = dict(re.findall(r"\| `HEARTHWATCH_(\w+)` \| `?([^|`]*?)`? \|", PAGE.read_text(encoding="utf-8")))
    fields = {name: field for name, field in AlertingSettings.model_fields.items() if OF_NOTICES.match(name)}
    assert set(told) == {name.upper() for name in fields}
    for name, field in fields.items():
        said = told[name.upper()]
        assert said == ("empty" if "secret" in name else str(field.default)), name
