"""`mv3d rig align --markers`: single markers that lie in the room as a rig's scale and world."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calib.scene_markers import fit_scale
from mv3d.cli import main
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.files.marker_list import load_markers
from mv3d.scene_markers import align_to_markers
from mv3d.synthetic.board_pictures import photograph
from mv3d.synthetic.rigs import camera_ring

RIG = Rig(camera_ring(6, radius=2.5, height=2.0, size=(1280, 720), focal=900.0, seed=2).cameras[:3])
TEXELS_PER_M, SIDE_TEXELS = 500.0, 96
SIDE = SIDE_TEXELS / TEXELS_PER_M
# Middle of each marker on the page, m from its upper left corner; the page lies on a table.
MIDDLES = {3: (0.25, 0.25), 7: (1.35, 0.3), 11: (0.3, 0.95)}
PAGE, TABLE = (1.6, 1.2), 0.8
LISTED = {"dictionary": "DICT_4X4_50", "side_mm": 1e3 * SIDE, "markers": [{"id": n} for n in MIDDLES]}


def apart(a: int, b: int) -> float:
    return float(np.linalg.norm(np.subtract(MIDDLES[a], MIDDLES[b])))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the cameras see of three markers on a table."""
    folder = tmp_path_factory.mktemp("markers")
    page = np.full((int(PAGE[1] * TEXELS_PER_M), int(PAGE[0] * TEXELS_PER_M)), 255, np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    for number, middle in MIDDLES.items():
        x, y = (round(v * TEXELS_PER_M - SIDE_TEXELS / 2) for v in middle)
        page[y : y + SIDE_TEXELS, x : x + SIDE_TEXELS] = cv2.aruco.generateImageMarker(dictionary, number, SIDE_TEXELS)
    for camera in RIG:
        R, t = np.diag([1.0, -1.0, -1.0]), np.array([-PAGE[0] / 2, PAGE[1] / 2, TABLE])
        image = photograph(camera, page, (0.0, 0.0), TEXELS_PER_M, R, t)
        cv2.imwrite(str(folder / f"{camera.name}.png"), image)
    return folder


def written(path: Path, document: object) -> Path:
    path.write_text(yaml.safe_dump(document))
    return path


def grown(rig: Rig, factor: float) -> Rig:
    return Rig(tuple(replace(camera, t=factor * camera.t) for camera in rig))


def test_sizes_and_distances_tell_the_scale(tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grown(RIG, 1.03).save(tmp_path / "rig.yaml")
    listed = written(tmp_path / "markers.yaml", LISTED | {"distances": [[3, 7, apart(3, 7)], [3, 11, apart(3, 11)]]})
    command = ["rig", "align", str(tmp_path / "rig.yaml"), "--markers", str(listed), "--marker-pictures", str(pictures)]
    main([*command, "--rescale", "--out", str(tmp_path / "out.yaml")])
    said = capsys.readouterr().out
    assert "side of marker 3" in said
    assert "marker 3 to 7" in said
    # Measured 0.01 % off; sides of single markers 0.1 %.
    new = Rig.load(tmp_path / "out.yaml")
    np.testing.assert_allclose(new.centers, RIG.centers, rtol=5e-4)
    main([*command, "--out", str(tmp_path / "kept.yaml")])
    assert "the calibration's was kept; check the size" in capsys.readouterr().out
    np.testing.assert_allclose(Rig.load(tmp_path / "kept.yaml").centers, 1.03 * RIG.centers, atol=1e-9)


def test_places_tell_the_world(tmp_path: Path, pictures: Path) -> None:
    """The page turned by a right angle about the vertical, and moved."""
    places = {n: [float(2 + m[1]), float(m[0]), 0.5] for n, m in MIDDLES.items()}
    document = {"dictionary": "DICT_4X4_50", "markers": [{"id": n, "xyz": xyz} for n, xyz in places.items()]}
    done = align_to_markers(RIG, written(tmp_path / "m.yaml", document), pictures)
    assert any(line.startswith("world: 3 markers") for line in done.lines)
    old = np.array([[x - PAGE[0] / 2, PAGE[1] / 2 - y, TABLE] for x, y in MIDDLES.values()])
    # Corners are found to some tenths of a pixel, of 3 mm each.
    np.testing.assert_allclose(done.change(old), np.array([*places.values()]), atol=2e-3)


def test_a_wrong_size_is_named(tmp_path: Path, pictures: Path) -> None:
    markers = [{"id": 3}, {"id": 7, "side_mm": 1e3 * SIDE * 1.2}, {"id": 11}]
    listed = written(tmp_path / "m.yaml", LISTED | {"markers": markers, "distances": [[3, 7, apart(3, 7)]]})
    lines = align_to_markers(RIG, listed, pictures).lines
    assert any("most off is side of marker 7" in line and "check it" in line for line in lines)


def test_long_lengths_count_for_more() -> None:
    fit = fit_scale(np.array([1.0, 3.0]), np.array([1.1, 3.0]))
    assert fit.scale == pytest.approx(1 + 0.1 / 10)
    assert np.isnan(fit_scale(np.array([2.0]), np.array([2.0])).sd)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"markers": [{"id": 3}, {"id": 3}]}, "marker 3 is listed twice"),
        ({"markers": [{"id": "a"}]}, "id must be a whole number"),
        ({"markers": []}, "no list"),
        ({"markers": [{"id": 3, "size": 4}]}, "unknown key size"),
        ({"side_mm": -2}, "side_mm is -2"),
        ({"distances": [[3, 4, 1.0]]}, "two different ids of the list"),
        ({"distances": [[3, 7]]}, "distance"),
    ],
)
def test_bad_lists_say_why(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(CalibrationError, match=message) as caught:
        load_markers(written(tmp_path / "m.yaml", LISTED | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dictionary": "DICT_9X9"}, "one of OpenCV's"),
        ({"dictionary": "DICT_7X7_50"}, "the pictures show none"),
        ({"markers": [{"id": 5}]}, "of DICT_4X4_50 the pictures show 3, 7, 11"),
        ({"side_mm": None}, "nothing is known of the markers"),
        ({"markers": [{"id": 3, "xyz": [0, 0, 0]}]}, "1 points with places"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path: Path, pictures: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(CalibrationError, match=message) as caught:
        align_to_markers(RIG, written(tmp_path / "m.yaml", LISTED | change), pictures)
    assert "\n" not in str(caught.value)
