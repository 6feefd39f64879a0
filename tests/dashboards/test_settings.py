"""The console's settings: a misspelt name is refused and not silently a default."""

import pytest
from typer.testing import CliRunner

from dashboards.commands import app
from dashboards.settings import Settings
from vitals.setting_names import UnknownSetting


def test_a_misspelt_name_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownSetting, match=r"HEARTHWATCH_CONSOLE_SECRT .* did you mean HEARTHWATCH_CONSOLE_SECRET"):
        Settings.from_environment({"HEARTHWATCH_CONSOLE_SECRT": "x"})


def test_names_of_other_rooms_and_right_ones_pass() -> None:
    Settings.from_environment({"HEARTHWATCH_CONSOLE_PORT": "8080", "HEARTHWATCH_INGEST_CLIENT_ID": "x", "HOME": "/"})


def test_the_command_ends_in_words_on_a_wrong_environment() -> None:
    done = CliRunner().invoke(app, ["run"], env={"HEARTHWATCH_CONSOLE_PROT": "8081"})
    assert done.exit_code == 1
    assert "HEARTHWATCH_CONSOLE_PROT is no setting of the console" in done.output
