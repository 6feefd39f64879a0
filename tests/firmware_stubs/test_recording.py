"""Real recordings as courses, and errors that say where."""

from pathlib import Path

import pytest

from firmware_stubs.recording import Columns, RecordingError, read_recording

HEADER = "\ufeffTime,SpO2 4,SpO2 5,Pulse 5,Skin,,\n"
ROWS = (
    " 23:59:58,98,99.6,61,36.4,,\n"
    " 23:59:59,98,0,0,36.4,,\n"
    " 00:00:00,98,97,62,36.5,,\n"
    " 00:00:03,98,96,0,36.5,,\n"
    "Collection Halted,,,,,,\n"
)


def _file(folder: Path, content: str) -> Path:
    path = folder / "100001.csv"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_recording_is_played_second_by_second_past_midnight(tmp_path: Path) -> None:
    course = read_recording(_file(tmp_path, HEADER + ROWS))
    assert course.lasts_s == 5.0
    played = {second: (course(second).spo2_percent, course(second).pulse_per_min) for second in (0, 2, 4.9, 5)}
    assert played == {0: (99.6, 61.0), 2: (97.0, 62.0), 4.9: (97.0, 62.0), 5: (96.0, None)}


def test_a_zero_is_a_finger_that_is_out(tmp_path: Path) -> None:
    state = read_recording(_file(tmp_path, HEADER + ROWS))(1.0)
    assert (state.is_finger_in, state.spo2_percent) == (False, None)


@pytest.mark.parametrize("seconds", [-1.0, 7.0, 1e9])
def test_before_and_after_the_recording_the_finger_is_out(tmp_path: Path, seconds: float) -> None:
    assert not read_recording(_file(tmp_path, HEADER + ROWS))(seconds).is_finger_in


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    columns = Columns(spo2=None, pulse=None, temperature="Skin")
    assert read_recording(_file(tmp_path, HEADER + ROWS), columns)(2.0).temperature_c == 36.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER.replace("Pulse 5", "PR") + ROWS, 'line 1: no column "Pulse 5" among'),
        (HEADER + ROWS.replace("97,62", "high,62"), 'line 4, column 3: "high" is not a number'),
        (HEADER + ROWS.replace(" 00:00:03", "soon"), 'line 5, column 1: "soon" is not %H:%M:%S'),
        (HEADER + ROWS.replace(" 00:00:03", " 23:59:57"), 'line 5, column 1: "23:59:57" goes back'),
        (HEADER, "no row to play"),
        ("", 'no column "SpO2 5"'),
    ],
)
def test_a_bad_recording_is_refused_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(RecordingError, match=r"100001\.csv") as refused:
        read_recording(_file(tmp_path, content))
    assert message in str(refused.value)


@pytest.mark.parametrize("subject", ["100001", "100003", "100005"])
def test_the_hypoxia_study_is_played_as_it_is(recordings: Path, subject: str) -> None:
    path = recordings / "uw_hypoxia" / "data" / "gt" / f"{subject}.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the recordings")
    course = read_recording(path)
    spo2 = [course(second).spo2_percent for second in range(int(course.lasts_s))]
    assert 14 * 60 <= course.lasts_s <= 20 * 60
    assert min(value for value in spo2 if value is not None) < 88
    assert not read_recording(path, Columns(spo2="SpO2 3", pulse=None))(60).is_finger_in
