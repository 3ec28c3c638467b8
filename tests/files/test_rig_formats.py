"""Rigs of other programs: round trips, files as the programs write them, and what can be wrong with them."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import DoubleSphere, Fisheye, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, ConfigError, FormatError
from mv3d.files.rigs import read_rig, write_rig
from mv3d.synthetic.rigs import camera_ring

# Name of the target and the format; formats that are folders have no suffix.
WRITTEN = {
    "pose2sim": "Calib.toml",
    "freemocap": "calibration.toml",
    "caliscope": "camera_array.toml",
    "opencv": "rig.yml",
    "easymocap": "easymocap",
    "kalibr": "camchain.yaml",
    "colmap": "sparse",
    "openpose": "cameraParameters",
}
# They know no fisheye.
PINHOLES = {"easymocap", "openpose"}
RIG = camera_ring(4, distortion=np.array([-0.1, 1 / 30, 1e-3, -2e-3]), seed=5)
POINT = np.array([[0.3, -0.2, 1.1]])


def fisheye_rig() -> Rig:
    lens = Fisheye(np.array([[333.3, 0, 640.1], [0, 334.4, 359.7], [0, 0, 1]]), np.array([0.05, -0.01, 1 / 700, 0]))
    return Rig((RIG[0], replace(RIG[1], lens=lens, size=(1280, 720)), *RIG.cameras[2:]))


def double_sphere_rig() -> Rig:
    lens = DoubleSphere(np.array([[333.3, 0, 640.1], [0, 334.4, 359.7], [0, 0, 1]]), np.array([-0.2 / 3, 0.57]))
    return Rig((RIG[0], *fisheye_rig().cameras[1:2], replace(RIG[2], lens=lens, size=(1280, 720)), RIG[3]))


def same(got: Rig, rig: Rig) -> None:
    assert got.names == rig.names
    for a, b in zip(got, rig, strict=True):
        assert (a.size, type(a.lens)) == (b.size, type(b.lens))
        # Texts with all digits; rotations and half pixels cost some roundings of a double.
        np.testing.assert_allclose(a.lens.K, b.lens.K, rtol=1e-13)
        np.testing.assert_allclose(a.R, b.R, atol=1e-13)
        np.testing.assert_allclose(a.t, b.t, atol=1e-12)
        np.testing.assert_allclose(a.project(POINT), b.project(POINT), atol=1e-9)


@pytest.mark.parametrize("format", WRITTEN)
def test_round_trip(tmp_path: Path, format: str) -> None:
    rig = RIG if format in PINHOLES else fisheye_rig()
    if format == "caliscope":
        rig = Rig(tuple(replace(camera, name=f"cam_{i}") for i, camera in enumerate(rig)))
    path = tmp_path / WRITTEN[format]
    write_rig(rig, path, format)
    same(read_rig(path, format), rig)
    same(read_rig(path), rig)  # the format is told by the name and the content


def test_opencv_writes_xml_and_reads_all_lenses(tmp_path: Path) -> None:
    counts = (0, 5, 8, 14)
    lenses = [Pinhole(camera.lens.K, np.full(n, 1e-3)) for camera, n in zip(RIG, counts, strict=True)]
    rig = Rig(tuple(replace(camera, lens=lens) for camera, lens in zip(RIG, lenses, strict=True)))
    write_rig(rig, tmp_path / "rig.xml", "opencv")
    same(read_rig(tmp_path / "rig.xml"), rig)
    storage = cv2.FileStorage(str(tmp_path / "rig.xml"), cv2.FILE_STORAGE_READ)
    assert storage.getNode("cam_ids").string() == "cam01,cam02,cam03,cam04"
    np.testing.assert_array_equal(storage.getNode("Ks").mat(), np.stack([c.lens.K for c in rig]))


@pytest.mark.parametrize("suffix", [".yml", ".xml"])
def test_files_that_opencv_writes_one_a_camera(tmp_path: Path, suffix: str) -> None:
    for i, camera in enumerate(RIG):
        storage = cv2.FileStorage(str(tmp_path / f"{camera.name}{suffix}"), cv2.FILE_STORAGE_WRITE)
        storage.write("calibration_time", "Thu 1 Jan 2026")
        storage.write("image_width", camera.size[0])
        storage.write("image_height", camera.size[1])
        storage.write("camera_matrix", np.array(camera.lens.K))
        storage.write("distortion_coefficients", np.array([camera.lens.dist]).T)
        if i % 2:
            storage.write("rvec", cv2.Rodrigues(np.array(camera.R))[0])
            storage.write("tvec", np.array(camera.t))
        else:
            storage.write("R", np.array(camera.R))
            storage.write("T", np.array(camera.t)[:, None])
        storage.release()
    same(read_rig(tmp_path), RIG)
    # A file that fell out of the folder's ways is named.
    (tmp_path / f"cam02{suffix}").write_text("%YAML:1.0\n---\na: 1\n")
    with pytest.raises(CalibrationError, match=f"cam02{suffix}: it lacks camera_matrix"):
        read_rig(tmp_path)


def test_a_camera_array_of_caliscope(tmp_path: Path) -> None:
    """Cameras by number, `port` before 0.7 and `cam_id` since, no fisheye key in old files, one without a pose."""
    table = (
        '[cameras.{0}]\nport = {0}\nrotation_count = 0\nerror = 0.1\nexposure = "null"\ngrid_count = 20\n'
        "size = [1280, 720]\nmatrix = [[900.5, 0.0, 640.0], [0.0, 901.0, 360.0], [0.0, 0.0, 1.0]]\n"
        "distortions = [0.1, -0.2, 0.0, 0.001, 0.04]\n"
    )
    pose = "translation = [-0.2, 0.1, {0}.5]\nrotation = [1.5, 0.5, -0.7]\n"
    path = tmp_path / "camera_array.toml"
    path.write_text("".join((table + pose).format(i) for i in (1, 10, 2)))
    rig = read_rig(path)
    assert rig.names == ("cam_1", "cam_10", "cam_2")
    np.testing.assert_array_equal(rig["cam_10"].t, [-0.2, 0.1, 10.5])
    path.write_text((table + pose).format(1) + table.format(2))
    with pytest.raises(CalibrationError, match="camera cam_2: it lacks rotation, translation; it has no pose yet"):
        read_rig(path)


def test_freemocap_is_in_millimetres_and_tells_itself(tmp_path: Path) -> None:
    text = (
        '[cam_0]\nname = "Camera_000_synchronized"\nsize = [1280, 720]\nmatrix = [[900.0, 0.0, 640.0],'
        " [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]]\ndistortions = [0.1, 0.0, 0.0, 0.0, 0.0]\nrotation = [0.1, 0.2, 0.3]\n"
        "translation = [100.0, 200.0, 3000.0]\n\n[metadata]\nadjusted = false\ncharuco_square_size = 39.0\n"
    )
    path = tmp_path / "recording_camera_calibration.toml"
    path.write_text(text)
    np.testing.assert_allclose(read_rig(path)[0].t, [0.1, 0.2, 3.0])
    np.testing.assert_allclose(read_rig(path, units="cm")[0].t, [1, 2, 30])


_CHAIN = """
cam0:
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [-0.28, 0.07, 0.0002, 2.0e-05]
  distortion_model: radtan
  intrinsics: [458.6, 457.3, 367.2, 248.4]
  resolution: [752, 480]
  rostopic: /cam0/image_raw
cam1:
  T_cn_cnm1:
  - [0.0, -1.0, 0.0, -0.11]
  - [1.0, 0.0, 0.0, 0.002]
  - [0.0, 0.0, 1.0, 0.0]
  - [0.0, 0.0, 0.0, 1.0]
  camera_model: pinhole
  distortion_coeffs: [0.01, 0.02, 0.0, -0.001]
  distortion_model: equidistant
  intrinsics: [457.6, 456.1, 380.0, 255.2]
  resolution: [752, 480]
  rostopic: /cam1/image_raw
"""


def test_a_chain_of_kalibr(tmp_path: Path) -> None:
    path = tmp_path / "camchain.yaml"
    path.write_text(_CHAIN + _CHAIN[_CHAIN.index("cam1:") :].replace("cam1", "cam2"))
    rig = read_rig(path)
    assert rig.names == ("cam0", "cam1", "cam2")
    assert isinstance(rig["cam1"].lens, Fisheye)
    np.testing.assert_array_equal(rig["cam0"].R, np.eye(3))
    np.testing.assert_allclose(rig["cam1"].t, [-0.11, 0.002, 0])
    # Twice the same step: a half turn, and the step's move turned once.
    np.testing.assert_allclose(rig["cam2"].R, np.diag([-1.0, -1, 1]), atol=1e-15)
    np.testing.assert_allclose(rig["cam2"].t, [-0.112, -0.108, 0], atol=1e-15)


def test_a_model_of_colmap_counts_pixels_from_the_corner(tmp_path: Path) -> None:
    (tmp_path / "cameras.txt").write_text(
        "# comment\n1 SIMPLE_RADIAL 640 480 500 320 240 0.1\n7 PINHOLE 64 48 5 6 7 8\n"
    )
    turned = "0.70710678 0 0 0.70710678"
    (tmp_path / "images.txt").write_text(
        f"# comment\n1 {turned} 1 2 3 1 left/0001.png\n10.5 20.5 -1\n2 1 0 0 0 0 0 4 7 right/0001.png\n\n"
    )
    rig = read_rig(tmp_path)
    assert rig.names == ("left", "right")
    np.testing.assert_allclose(rig["left"].lens.K, [[500, 0, 319.5], [0, 500, 239.5], [0, 0, 1]])
    np.testing.assert_allclose(rig["left"].R, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-8)
    np.testing.assert_array_equal(rig["left"].lens.dist, [0.1, 0, 0, 0])
    assert rig["right"].size == (64, 48)


def test_easymocap_without_sizes_asks_for_them(tmp_path: Path) -> None:
    write_rig(RIG, tmp_path / "rig", "easymocap")
    intri = tmp_path / "rig/intri.yml"
    lines = [line for line in intri.read_text().splitlines() if not line.startswith(("H_", "W_"))]
    intri.write_text("\n".join(lines))
    with pytest.raises(CalibrationError, match=r"camera cam01: intri\.yml does not say .* pass --size"):
        read_rig(tmp_path / "rig")
    same(read_rig(tmp_path / "rig", size=(1920, 1080)), RIG)
    extri = tmp_path / "rig/extri.yml"
    extri.write_text(extri.read_text().replace("T_cam03", "T_cam09"))
    with pytest.raises(CalibrationError, match=r"camera cam03: extri\.yml lacks T_cam03; do both files hold the same"):
        read_rig(tmp_path / "rig", size=(1920, 1080))


@pytest.mark.parametrize("format", sorted({*WRITTEN} - {"opencv"}))
def test_a_lens_that_the_format_does_not_know_is_refused(tmp_path: Path, format: str) -> None:
    odd = replace(RIG[2], lens=Pinhole(RIG[2].lens.K, np.full(12, 0.01)))
    with pytest.raises(FormatError, match="cam03"):
        write_rig(Rig((*RIG.cameras[:2], odd)), tmp_path / WRITTEN[format], format)
    assert not (tmp_path / WRITTEN[format]).exists()


@pytest.mark.parametrize("format", sorted({*WRITTEN, "aniposelib"} - {"kalibr"}))
def test_a_double_sphere_is_refused_by_what_knows_none(tmp_path: Path, format: str) -> None:
    camera = double_sphere_rig()[2]
    target = tmp_path / WRITTEN.get(format, "rig.toml")
    with pytest.raises(FormatError, match=f"{camera.name}.*calibrate with --lens"):
        write_rig(Rig((RIG[0], camera)), target, format)
    assert not target.exists()


@pytest.mark.parametrize("name", ["camchain.yaml", "cameras.yaml"])
def test_double_spheres_come_back_from_kalibr_and_our_own_file(tmp_path: Path, name: str) -> None:
    rig = double_sphere_rig()
    write_rig(rig, tmp_path / name, "kalibr" if name == "camchain.yaml" else "mv3d")
    same(read_rig(tmp_path / name), rig)


_DS = _CHAIN.replace("camera_model: pinhole", "camera_model: ds", 1).replace(
    "intrinsics: [458.6, 457.3, 367.2, 248.4]", "intrinsics: [-0.18, 0.59, 258.6, 257.3, 367.2, 248.4]"
)


def test_a_double_sphere_of_kalibr(tmp_path: Path) -> None:
    """As Kalibr's ds-none writes it: xi and alpha before the focal lengths, no distortion."""
    path = tmp_path / "camchain.yaml"
    path.write_text(_DS.replace("[-0.28, 0.07, 0.0002, 2.0e-05]", "[]").replace("radtan", "none", 1))
    lens = read_rig(path)[0].lens
    assert isinstance(lens, DoubleSphere)
    np.testing.assert_array_equal(lens.dist, [-0.18, 0.59])
    np.testing.assert_array_equal(lens.K, [[258.6, 0, 367.2], [0, 257.3, 248.4], [0, 0, 1]])


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (_DS, "camera cam0: distortion_model radtan does not go with ds; calibrate with ds-none"),
        (_CHAIN.replace("pinhole", "omni", 1), "camera cam0: camera_model omni is not read; there are pinhole and ds"),
        (_CHAIN.replace("pinhole", "eucm", 1), "camera cam0: camera_model eucm is not read; there are pinhole and ds"),
        (_DS.replace("radtan", "none", 1).replace("0.59", "1.59"), "camera cam0: .* alpha in 0..1"),
        (_CHAIN.replace("camera_model: pinhole", "camera_model: ds"), "cam0: intrinsics has 4 numbers, wanted 6"),
    ],
)
def test_models_of_kalibr_that_are_not_read(tmp_path: Path, chain: str, message: str) -> None:
    path = tmp_path / "camchain.yaml"
    path.write_text(chain)
    with pytest.raises(CalibrationError, match=message) as caught:
        read_rig(path)
    assert "\n" not in str(caught.value)


def test_names_that_a_format_cannot_hold(tmp_path: Path) -> None:
    rig = Rig((replace(RIG[0], name="left, top"),))
    for format in ("opencv", "easymocap"):
        with pytest.raises(FormatError, match="left, top"):
            write_rig(rig, tmp_path / "rig.yml", format)


def test_lengths_in_the_wrong_unit_are_suspected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    big = Rig(tuple(replace(camera, t=1e3 * camera.t) for camera in RIG))
    write_rig(big, tmp_path / "rig.toml")
    read_rig(tmp_path / "rig.toml")
    assert "m apart when its lengths are taken for m; pass --units" in caplog.text
    caplog.clear()
    read_rig(tmp_path / "rig.toml", units="mm")
    assert not caplog.text


def test_inverted_poses_are_suspected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inverted = Rig(tuple(replace(c, R=c.R.T, t=-c.R.T @ c.t) for c in RIG))
    write_rig(inverted, tmp_path / "wrong.toml")
    read_rig(tmp_path / "wrong.toml")
    assert "wrong.toml: its cameras look apart, but at one place if its poses are world from camera" in caplog.text
    caplog.clear()
    # A ring as it should be; cameras side by side; cameras in one row that look at one place.
    row = Rig(tuple(replace(RIG[0], name=f"c{i}", R=np.eye(3), t=np.array([0.3 * i, 0, 0])) for i in range(3)))
    for rig in (RIG, row, camera_ring(3, span=0.5, seed=2)):
        write_rig(rig, tmp_path / "right.toml")
        read_rig(tmp_path / "right.toml")
    assert not caplog.text


@pytest.mark.parametrize("value", ["nan", "1e999", "1e40", "'x'"])
@pytest.mark.parametrize("format", [*WRITTEN, "mv3d", "aniposelib"])
def test_numbers_that_are_none_are_one_line(
    tmp_path: Path, format: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A number of a pose that is not finite, absurd or a text."""
    rig = Rig(tuple(replace(camera, t=np.array([7.25, 8.5, 9.75])) for camera in RIG))
    path = tmp_path / WRITTEN.get(format, "rig.toml" if format == "aniposelib" else "rig.yaml")
    write_rig(rig, path, format)
    spoilt = 0
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        text, count = re.subn(r"(?<![\d.])(8\.50*(e\+00)?|8500\.0)(?!\d)", value, file.read_text())
        file.write_text(text)
        spoilt += count
    assert spoilt
    if value == "1e40":
        # Far away is a place, and suspected by its size.
        read_rig(path, format)
        assert "pass --units" in caplog.text
    else:
        with pytest.raises(CalibrationError, match=path.name.replace(".", r"\.")) as caught:
            read_rig(path, format)
        assert "\n" not in str(caught.value)


_HOSTILE = {
    "aliases": "%YAML:1.0\n---\na: &a [1, 2]\nb: [*a, *a]\n",
    "a mirror": _CHAIN.replace("[0.0, 0.0, 1.0, 0.0]", "[0.0, 0.0, -1.0, 0.0]"),
    "entities": '<!DOCTYPE x [<!ENTITY a "b">]><opencv_storage><Ks>&a;</Ks></opencv_storage>',
    "a file of the system": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><opencv_storage><Ks>&a;</Ks>'
    "</opencv_storage>",
    "a billion laughs": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><opencv_storage><Ks>&b;</Ks>'
    "</opencv_storage>",
    "objects": "%YAML:1.0\n---\na: !!python/object/apply:os.system ['true']\n",
    "a wrong matrix": "%YAML:1.0\n---\nKs: !!opencv-matrix\n  rows: 3\n  cols: 3\n  dt: d\n  data: [1, 2]\n",
    "nothing": "%YAML:1.0\n---\n",
}


@pytest.mark.parametrize("what", _HOSTILE)
def test_hostile_files_are_one_line(tmp_path: Path, what: str) -> None:
    for name in ("rig.yaml", "rig.xml"):
        path = tmp_path / name
        path.write_text(_HOSTILE[what])
        with pytest.raises(CalibrationError, match=name.replace(".", r"\.")) as caught:
            read_rig(path)
        assert "\n" not in str(caught.value)


def test_a_mirrored_pose_is_named_and_so_is_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "camchain.yaml").write_text(_HOSTILE["a mirror"])
    with pytest.raises(CalibrationError, match=r"camera cam1: its rotation is a mirror image .* right-handed axes"):
        read_rig(tmp_path / "camchain.yaml")


def test_a_folder_without_a_rig(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(CalibrationError, match="no rig in this folder"):
        read_rig(tmp_path)
    with pytest.raises(ConfigError, match="its name does not tell"):
        read_rig(tmp_path / "notes.txt")


def test_one_camera_of_any_name_comes_back_from_opencv(tmp_path: Path) -> None:
    camera = Camera("c\u00e2m 1", (64, 48), Pinhole(np.diag([50.0, 50, 1]), np.zeros(0)), np.eye(3), np.zeros(3))
    write_rig(Rig((camera,)), tmp_path / "rig.yml", "opencv")
    assert read_rig(tmp_path / "rig.yml").names == ("c\u00e2m 1",)
