from pathlib import Path

import pytest

from mv3d.data.correction import Correction, Drop, Ignore, Point, Swap
from mv3d.data.session import Session
from mv3d.data.skeletons import BODY_25, FACE_70
from mv3d.errors import FormatError
from mv3d.files.corrections import corrections_file, read_corrections

FRAME_COUNTS = {"cam01": 100, "cam02": 80}
GOOD = """
- {frames: [0, 79], camera: cam02, ignore: true}
- {frames: [5, 5], camera: cam01, swap: legs}
- {frames: [6, 9], camera: cam01, drop: [RWrist, LWrist]}
- frames: [7, 8]
  camera: cam01
  point: {joint: RWrist, xy: [812.5, 430]}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "corrections.yaml"


def test_reads_every_kind_in_order(path: Path) -> None:
    path.write_text(GOOD)
    assert read_corrections(path, FRAME_COUNTS, BODY_25) == (
        Correction((0, 79), "cam02", Ignore()),
        Correction((5, 5), "cam01", Swap("legs")),
        Correction((6, 9), "cam01", Drop(("RWrist", "LWrist"))),
        Correction((7, 8), "cam01", Point("RWrist", (812.5, 430.0))),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]"])
def test_no_corrections(path: Path, text: str) -> None:
    path.write_text(text)
    assert read_corrections(path, FRAME_COUNTS, BODY_25) == ()
    assert read_corrections(None, FRAME_COUNTS, BODY_25) == ()


def test_the_file_that_was_asked_for_wins(tmp_path: Path) -> None:
    session, given = Session(tmp_path), tmp_path / "other.yaml"
    assert corrections_file(session, None) is None
    assert corrections_file(session, given) == given
    session.corrections.write_text(GOOD)
    assert corrections_file(session, None) == session.corrections
    assert corrections_file(session, given) == given


BAD_ENTRIES = {
    "ignore: true": "frames is missing",
    "frames: [1, 2], ignore: true": "camera is missing",
    "frames: [1, 2], camera: cam1, ignore: true": "unknown camera 'cam1'; did you mean 'cam01'",
    "frames: [1, 2], camera: 7, ignore: true": "unknown camera 7; there are cam01, cam02",
    "frames: [1, 2], camera: [[cam01]], ignore: true": "unknown camera a list",
    "frames: [1, 2], camera: cam01": "exactly one of ignore, swap, drop, point is wanted, not none",
    "frames: [1, 2], camera: cam01, ignore: true, swap: all": "not ignore and swap",
    "frames: [1, 2], camera: cam01, ignor: true": "unknown key 'ignor'; did you mean 'ignore'",
    "frames: [1, 2], camera: cam01, ignore: false": "ignore is False; true is wanted",
    "frames: [1, 2], camera: cam01, swap: leg": "unknown swap 'leg'; did you mean 'legs'",
    "frames: [1, 2], camera: cam01, drop: RWrist": "drop is 'RWrist'; a list",
    "frames: [1, 2], camera: cam01, drop: []": "drop is a list; a list of joints is wanted",
    "frames: [1, 2], camera: cam01, drop: [RWrst]": "unknown joint 'RWrst'; did you mean 'RWrist'",
    "frames: [1, 2], camera: cam01, point: [1, 2]": "point is a list; a mapping with joint, xy",
    "frames: [1, 2], camera: cam01, point: {joint: Nose}": "point needs both joint and xy",
    "frames: [1, 2], camera: cam01, point: {joint: Nos, xy: [1, 2]}": "did you mean 'Nose'",
    "frames: [1, 2], camera: cam01, point: {joint: Nose, xy: [1, 2], score: 1}": "unknown key 'score'",
    "frames: [1, 2], camera: cam01, point: {joint: Nose, xy: [1]}": "xy is a list; two numbers",
    "frames: [1, 2], camera: cam01, point: {joint: Nose, xy: [1, .nan]}": "xy is a list; two numbers",
    "frames: [1, 2], camera: cam01, point: {joint: Nose, xy: [1, true]}": "xy is a list; two numbers",
    f"frames: [1, 2], camera: cam01, point: {{joint: Nose, xy: [1, 1{'0' * 400}]}}": "xy is a list; two numbers",
    "frames: 5, camera: cam01, ignore: true": "frames is 5; two whole numbers",
    "frames: [1.0, 2], camera: cam01, ignore: true": "frames is a list; two whole numbers",
    "frames: [5, 4], camera: cam01, ignore: true": "0 <= first <= last",
    "frames: [-1, 4], camera: cam01, ignore: true": "0 <= first <= last",
    "frames: [70, 80], camera: cam02, ignore: true": "but the last frame of cam02 is 79",
}


@pytest.mark.parametrize("entry", BAD_ENTRIES)
def test_a_bad_entry_is_named(path: Path, entry: str) -> None:
    path.write_text(f"- {{frames: [0, 1], camera: cam01, ignore: true}}\n- {{{entry}}}\n")
    with pytest.raises(FormatError) as error:
        read_corrections(path, FRAME_COUNTS, BODY_25)
    message = str(error.value)
    assert message.startswith(f"{path}: entry 2: ")
    assert BAD_ENTRIES[entry] in message
    assert "\n" not in message


def test_a_swap_of_joints_that_the_skeleton_lacks(path: Path) -> None:
    path.write_text("- {frames: [0, 1], camera: cam01, swap: arms}")
    with pytest.raises(FormatError, match="FACE_70 has no such left and right joints"):
        read_corrections(path, FRAME_COUNTS, FACE_70)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frames: [1, 2]", "a list of corrections is wanted"),
        ("- 3", "entry 1: a correction is 3; a mapping"),
        ("- {frames: [1, 2]", "cannot read these corrections"),
        ("- {? [a]: b}", "cannot read these corrections"),
        ("[" * 5000, "cannot read these corrections"),
        ("- !!python/object/apply:os.getcwd []", "cannot read these corrections"),
        ("- point: {}\n  point: {}", "line 2: 'point' is there twice in one entry"),
        ("#" * 1_000_001, "too large for corrections"),
        ("- \x00", "cannot read these corrections"),
    ],
)
def test_a_file_that_is_something_else(path: Path, text: str, said: str) -> None:
    path.write_text(text)
    with pytest.raises(FormatError) as error:
        read_corrections(path, FRAME_COUNTS, BODY_25)
    assert str(path) in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(FormatError, match=r"No such file.*check the path"):
        read_corrections(path, FRAME_COUNTS, BODY_25)
