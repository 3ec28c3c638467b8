import cv2
import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, FormatError
from mv3d.files.rigs import read_rig, write_rig
from mv3d.synthetic.rigs import camera_ring

RIG = camera_ring(3, distortion=np.array([-0.1, 0.05, 1e-3, -1e-3, 0.02]), seed=1)


def test_opencv_reads_back_what_openpose_looks_for(tmp_path):
    write_rig(RIG, tmp_path / "cameraParameters")
    assert sorted(p.name for p in (tmp_path / "cameraParameters").iterdir()) == ["cam01.xml", "cam02.xml", "cam03.xml"]
    for camera in RIG:
        storage = cv2.FileStorage(str(tmp_path / "cameraParameters" / f"{camera.name}.xml"), cv2.FILE_STORAGE_READ)
        extrinsics = storage.getNode("CameraMatrix").mat()
        # FileStorage writes 17 significant digits.
        np.testing.assert_array_equal(extrinsics, np.hstack([camera.R, camera.t[:, None]]))
        np.testing.assert_array_equal(storage.getNode("Intrinsics").mat(), camera.lens.K)
        distortion = storage.getNode("Distortion").mat()
        assert distortion.shape == (8, 1)
        np.testing.assert_array_equal(distortion.ravel(), [*camera.lens.dist, 0, 0, 0])
        storage.release()


def test_a_lens_that_openpose_does_not_know_is_refused_before_anything_is_written(tmp_path):
    camera = RIG[1]
    for lens in (Fisheye(camera.lens.K, np.array([0.1, 0, 0, 0])), Pinhole(camera.lens.K, np.full(12, 0.01))):
        rig = Rig((RIG[0], Camera("wide", camera.size, lens, camera.R, camera.t)))
        with pytest.raises(FormatError, match="wide"):
            write_rig(rig, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_it_is_read_back_and_asks_for_the_size_that_openpose_does_not_write(tmp_path):
    write_rig(RIG, tmp_path / "cameraParameters")
    again = read_rig(tmp_path / "cameraParameters")
    for a, b in zip(again, RIG, strict=True):
        assert (a.name, a.size) == (b.name, b.size)
        np.testing.assert_array_equal(a.t, b.t)
        np.testing.assert_allclose(a.R, b.R, atol=1e-14)  # printed with all digits, then made orthonormal
        np.testing.assert_array_equal(a.lens.dist, [*b.lens.dist, 0, 0, 0])
    path = tmp_path / "cameraParameters" / "cam02.xml"
    text = path.read_text()
    path.write_text(text[: text.index("<ImageSize")] + "</opencv_storage>")
    with pytest.raises(CalibrationError, match=r"cam02\.xml: it does not say the size of the images; pass --size"):
        read_rig(tmp_path / "cameraParameters")
    assert read_rig(tmp_path / "cameraParameters", size=(640, 480))["cam02"].size == (640, 480)
