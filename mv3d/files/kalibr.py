"""Kalibr's camera chains: camchain.yaml.

cam0, cam1, ...: camera_model (pinhole with intrinsics [fu, fv, pu, pv], ds with [xi, alpha, fu, fv, pu, pv]),
distortion_model (radtan: k1 k2 p1 p2, equidistant: k1..k4, none, which alone goes with ds), resolution, rostopic, and
T_cn_cnm1, which takes points of the camera before to this one's.
With T_cam_imu in every camera (camchain-imucam.yaml) the IMU's frame is the world, else the first camera's.
"""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mv3d.data.camera import Camera
from mv3d.data.lens import DoubleSphere, Fisheye, Lens, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, FormatError
from mv3d.files.natural import natural_key
from mv3d.files.opencv_storage import load_yaml
from mv3d.files.rig_entries import image_size, make_camera, numbers, read_limited
from mv3d.files.writing import write_text

UNITS = "m"
_COUNTS = {"radtan": 4, "equidistant": 4, "none": 0}
_TOPIC_ENDS = ("/image_raw", "/image_rect", "/image")


def read_kalibr(path: Path, metres_per_unit: float) -> Rig:
    """Read a camera chain; cameras are named by their topics where these differ, else cam0, cam1, ...

    Args:
        path: the file.
        metres_per_unit: length of the file's unit; 1 as Kalibr writes it.

    Raises:
        CalibrationError: not such a file, or a camera of it cannot be used; names the camera.
    """
    try:
        document = load_yaml(read_limited(path).decode("utf-8"))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise CalibrationError(f"{path}: not a camera chain: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(document, dict):
        raise CalibrationError(f"{path}: not a camera chain: no cam0, cam1, ... in it")
    keys = sorted((k for k in document if str(k).startswith("cam") and isinstance(document[k], dict)), key=natural_key)
    if not keys:
        raise CalibrationError(f"{path}: not a camera chain: no cam0, cam1, ... in it")
    entries = [document[key] for key in keys]
    topics = [_name_of(entry) for entry in entries]
    names = topics if all(topics) and len(set(topics)) == len(topics) else [str(key) for key in keys]
    by_imu = all("T_cam_imu" in entry for entry in entries)
    cameras, pose = [], np.eye(4)
    for i, (name, entry) in enumerate(zip(names, entries, strict=True)):
        try:
            pose = _motion(entry, "T_cam_imu") if by_imu else _motion(entry, "T_cn_cnm1") @ pose if i else pose
            cameras.append(_camera(name, entry, pose, metres_per_unit))
        except (ValueError, TypeError) as error:
            raise CalibrationError(f"{path}: camera {name}: {' '.join(str(error).split())[:200]}") from error
    return Rig(tuple(cameras))


def _name_of(entry: dict[str, Any]) -> str:
    """The topic without slashes and what says that it is of images."""
    topic = str(entry.get("rostopic", ""))
    for end in _TOPIC_ENDS:
        topic = topic.removesuffix(end)
    return topic.strip("/").replace("/", "_")


def _motion(entry: dict[str, Any], key: str) -> np.ndarray:
    if key not in entry:
        raise ValueError(f"it lacks {key}")
    T = numbers(entry[key], key, 16).reshape(4, 4)
    if np.any(T[3] != (0, 0, 0, 1)):
        raise ValueError(f"{key} is no rigid motion: its last row is not 0 0 0 1")
    return T


def _camera(name: str, entry: dict[str, Any], pose: np.ndarray, metres_per_unit: float) -> Camera:
    missing = [key for key in ("camera_model", "intrinsics", "resolution") if key not in entry]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    size = image_size(numbers(entry["resolution"], "resolution", 2))
    return make_camera(name, size, _lens(entry), pose[:3, :3], pose[:3, 3] * metres_per_unit)


def _lens(entry: dict[str, Any]) -> Lens:
    kind, model = str(entry["camera_model"]), str(entry.get("distortion_model", "none"))
    if kind not in ("pinhole", "ds"):
        raise ValueError(
            f"camera_model {kind[:40]} is not read; there are pinhole and ds: calibrate with pinhole-radtan,"
            " pinhole-equi or ds-none"
        )
    *own, fu, fv, pu, pv = numbers(entry["intrinsics"], "intrinsics", 4 if kind == "pinhole" else 6).ravel()
    K = np.array([[fu, 0, pu], [0, fv, pv], [0, 0, 1]])
    if kind == "ds":
        if model != "none":
            raise ValueError(f"distortion_model {model[:40]} does not go with ds; calibrate with ds-none")
        return DoubleSphere(K, np.array(own))
    if model not in _COUNTS:
        raise ValueError(f"distortion_model {model[:40]} is not read; there are {', '.join(_COUNTS)}")
    dist = numbers(entry.get("distortion_coeffs", []), "distortion_coeffs", _COUNTS[model] or None).ravel()
    return Fisheye(K, dist) if model == "equidistant" else Pinhole(K, dist[: _COUNTS[model]])


def write_kalibr(rig: Rig, path: str | Path) -> None:
    """Write a camera chain with T_cn_cnm1, and T_cam_imu that keeps the rig's world; all digits.

    Raises:
        FormatError: a lens that Kalibr does not know.
    """
    document, before = {}, np.eye(4)
    for i, camera in enumerate(rig):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = camera.R, camera.t
        entry = {
            **_lens_entry(camera),
            "resolution": list(camera.size),
            "rostopic": f"/{camera.name}/image_raw",
            "T_cam_imu": pose.tolist(),
        }
        if i:
            entry["T_cn_cnm1"] = (pose @ np.linalg.inv(before)).tolist()
        document[f"cam{i}"], before = entry, pose
    write_text(path, yaml.safe_dump(document, sort_keys=False, default_flow_style=None, allow_unicode=True))


def _lens_entry(camera: Camera) -> dict[str, Any]:
    K, dist = camera.lens.K, camera.lens.dist
    if K[0, 1] or (isinstance(camera.lens, Pinhole) and np.any(dist[4:])):
        raise FormatError(
            f"camera {camera.name}: Kalibr knows pinholes with four coefficients, equidistant fisheyes and double"
            " spheres, all without skew; calibrate with --lens pinhole4"
        )
    intrinsics = [float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])]
    if isinstance(camera.lens, DoubleSphere):
        return {
            "camera_model": "ds",
            "intrinsics": [*dist.tolist(), *intrinsics],
            "distortion_model": "none",
            "distortion_coeffs": [],
        }
    fisheye = isinstance(camera.lens, Fisheye)
    padded = np.zeros(4)
    padded[: min(len(dist), 4)] = dist[:4]
    return {
        "camera_model": "pinhole",
        "intrinsics": intrinsics,
        "distortion_model": "equidistant" if fisheye else "radtan",
        "distortion_coeffs": padded.tolist(),
    }
