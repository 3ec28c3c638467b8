"""OpenPose's camera parameters: a folder with one `<camera>.xml` each, in OpenCV's FileStorage format.

CameraMatrix holds the extrinsics [R | t] (world to camera, metres) despite its name, Intrinsics is K, Distortion has 8
coefficients in OpenCV's order. OpenPose takes the views in the order of the sorted names. Image size is no part of its
format; it is written as an extra node that OpenPose ignores.
"""

from pathlib import Path

import cv2
import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import FormatError
from mv3d.files.staging import written_together

_COEFFICIENTS = 8


def write_openpose_xml(rig: Rig, folder: str | Path) -> None:
    """Write a file for each camera; all of them or none.

    Raises:
        FormatError: a lens that OpenPose does not know.
        SessionError: the folder cannot take the files.
    """
    for camera in rig:
        if not isinstance(camera.lens, Pinhole) or np.any(camera.lens.dist[_COEFFICIENTS:]):
            raise FormatError(
                f"camera {camera.name}: OpenPose knows pinholes with up to {_COEFFICIENTS} coefficients; calibrate with"
                " --lens pinhole8, or undistort the videos"
            )
    with written_together(folder) as staged:
        for camera in rig:
            _write_camera(camera, staged / f"{camera.name}.xml")


def _write_camera(camera: Camera, path: Path) -> None:
    distortion = np.zeros((_COEFFICIENTS, 1))
    given = camera.lens.dist[:_COEFFICIENTS]
    distortion[: len(given), 0] = given
    extrinsics = np.hstack([camera.R, camera.t[:, None]])
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("CameraMatrix", extrinsics)
    storage.write("Intrinsics", np.array(camera.lens.K))
    storage.write("Distortion", distortion)
    storage.write("CameraMatrixInitial", extrinsics)
    storage.write("ImageSize", np.array([camera.size], dtype=np.int32))
    storage.release()
