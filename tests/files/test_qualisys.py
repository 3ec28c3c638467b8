"""QTM's `.qca.txt`: a synthetic rig written as QTM does, then read; and files that are wrong."""

import numpy as np
import pytest

from mv3d.errors import CalibrationError
from mv3d.files.rigs import read_rig
from mv3d.geometry.rotations import look_along

_CENTER = np.array([1.5, -2.0, 1.2])
_TARGET = np.array([0.1, 0.2, 0.9])


def _qca(**changes: str) -> str:
    """One camera at _CENTER that looks at _TARGET, upright, 1000 px focal length, centre (500, 300)."""
    right, down, forward = look_along(_TARGET - _CENTER, np.array([0.0, 0, 1]))
    # Columns: the axes of QTM's camera (right, up, backward) in the world; the file holds the transpose of that.
    world_from_qtm = np.stack([right, -down, -forward], axis=1)
    r = {f"r{i + 1}{j + 1}": repr(float(world_from_qtm.T[i, j])) for i in range(3) for j in range(3)}
    values = {
        "serial": "cam_01",
        "viewrotation": 'viewrotation="0"',
        "right": "1001",
        "skew": "0.000000",
        "x": str(_CENTER[0] * 1000),
        **r,
        "k1": "-0.05",
        **changes,
    }
    rotation = " ".join(f'{key}="{values[key]}"' for key in r)
    return f"""<?xml version='1.0' encoding='ASCII'?>
<calibration source="x" type="regular"><results std-dev="0."/><cameras>
<camera active="0" serial="off"/>
<camera active="1" model="none" serial="{values["serial"]}" {values["viewrotation"]}>
 <fov_marker bottom="1" left="0" right="1" top="0"/>
 <fov_video bottom="599" left="2" right="{values["right"]}" top="0"/>
 <transform {rotation} x="{values["x"]}" y="{_CENTER[1] * 1000}" z="{_CENTER[2] * 1000}"/>
 <intrinsic centerPointU="{(500 + 2) * 64}" centerPointV="{300 * 64}" focalLengthU="64000.0" focalLengthV="64000.0"
  radialDistortion1="{values["k1"]}" radialDistortion2="0.02" radialDistortion3="0.003" skew="{values["skew"]}"
  tangentalDistortion1="0.004" tangentalDistortion2="0.005"/>
</camera></cameras></calibration>"""


def test_geometry_of_a_known_camera(tmp_path):
    path = tmp_path / "Calib.qca.txt"
    path.write_text(_qca())
    rig = read_rig(path)
    camera = rig["cam_01"]
    assert rig.names == ("cam_01",)
    assert camera.size == (1000, 600)
    np.testing.assert_allclose(camera.center, _CENTER, atol=1e-12)
    np.testing.assert_array_equal(camera.lens.dist, [-0.05, 0.02, 0.004, 0.005, 0.003])
    # What it looks at is at the principal point; what is above is higher up in the image.
    np.testing.assert_allclose(camera.project(_TARGET), [500, 300], atol=1e-9)
    assert camera.project(_TARGET + np.array([0, 0, 0.3]))[1] < 250


def test_units_of_the_file_can_be_told(tmp_path):
    path = tmp_path / "rig.xml"
    path.write_text(_qca())
    np.testing.assert_allclose(read_rig(path, "qualisys", units="m").centers[0], 1000 * _CENTER)


def test_old_files_and_skew(tmp_path, caplog):
    path = tmp_path / "Calib.qca.txt"
    path.write_text(_qca(viewrotation="", skew="0.1"))
    assert len(read_rig(path)) == 1
    assert "skew" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"r11": "0.9"}, "cam_01.*rotation"),
        ({"r11": "nan"}, "cam_01.*not finite"),
        ({"r12": "zero"}, "cam_01.*not a list of numbers"),
        ({"x": "inf"}, "cam_01.*not finite"),
        ({"k1": "nan"}, "cam_01.*not finite"),
        ({"right": "-1"}, "cam_01.*size"),
        ({"serial": "a/b"}, "a/b"),
        ({"viewrotation": 'viewrotation="90"'}, "cam_01.*viewrotation 90 is not supported"),
    ],
)
def test_values_that_are_wrong(tmp_path, changes, message):
    path = tmp_path / "Calib.qca.txt"
    path.write_text(_qca(**changes))
    with pytest.raises(CalibrationError, match=message) as caught:
        read_rig(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mirrored_rotation_is_refused(tmp_path):
    path = tmp_path / "Calib.qca.txt"
    text = _qca()
    for j in (1, 2, 3):
        text = text.replace(f'r1{j}="', f'r1{j}="-').replace('"--', '"')
    path.write_text(text)
    with pytest.raises(CalibrationError, match=r"cam_01.*mirror image"):
        read_rig(path)


@pytest.mark.parametrize("lost", ["transform", "intrinsic", "fov_video"])
def test_parts_that_are_missing(tmp_path, lost):
    path = tmp_path / "Calib.qca.txt"
    path.write_text(_qca().replace(f"<{lost} ", "<other "))
    with pytest.raises(CalibrationError, match=f"cam_01: it lacks <{lost}>"):
        read_rig(path)


def test_no_cameras_and_entities(tmp_path):
    path = tmp_path / "Calib.qca.txt"
    path.write_text("<calibration/>")
    with pytest.raises(CalibrationError, match="no active camera"):
        read_rig(path)
    path.write_text('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')
    with pytest.raises(CalibrationError, match="not a QTM calibration"):
        read_rig(path)
