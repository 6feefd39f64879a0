"""Settings files that keep their author's words when some keys are set."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.settings_text import SettingsTextError, with_values

NEW = {"gateway_id": "gw-1", "broker_port": 8883}


def test_an_empty_file_gets_the_keys_at_its_end() -> None:
    assert with_values("", NEW) == 'gateway_id = "gw-1"\nbroker_port = 8883\n'


def test_a_key_is_changed_where_it_stands_and_the_rest_is_kept() -> None:
    text = '# by hand\nbroker_port = 1883\n\ndevices = [\n  "AA:BB:CC:DD:EE:FF",\n]\n'
    assert with_values(text, NEW) == (
        '# by hand\nbroker_port = 8883\n\ndevices = [\n  "AA:BB:CC:DD:EE:FF",\n]\ngateway_id = "gw-1"\n'
    )


def test_a_new_key_stands_before_the_first_table() -> None:
    assert with_values("a = 1\n[alarm]\ngateway_id = 7\n", {"gateway_id": "gw"}) == (
        'a = 1\ngateway_id = "gw"\n[alarm]\ngateway_id = 7\n'
    )


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a = ", NEW),
        ('gateway_id = """\nbroker_port = 1\n"""', NEW),
        ("", {"gateway_id": 'quo"te'}),
        ("", {"broker_host": "back\\slash"}),
        ("", {"broker_host": "new\nline"}),
    ],
)
def test_what_can_not_be_done_safely_is_refused(text: str, values: dict[str, str | int]) -> None:
    with pytest.raises(SettingsTextError):
        with_values(text, values)


@given(
    before=st.dictionaries(st.sampled_from(["gateway_id", "broker_port", "site_zone"]), st.integers() | st.booleans()),
    comment=st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=20),
)
def test_whatever_stood_there_the_new_keys_hold_and_no_other_changes(
    before: dict[str, int | bool], comment: str
) -> None:
    text = f"# {comment}\n" + "".join(f"{key} = {str(value).lower()}\n" for key, value in before.items())
    assert tomllib.loads(with_values(text, NEW)) == before | NEW
