"""Readers of what is JSON or npz: the standard library and numpy, nothing of the writers."""

import json

import numpy as np

from mv3d.data.poses import Poses3D
from mv3d.data.skeletons import hands_and_face_of
from mv3d.errors import FormatError
from mv3d.export.formats import Job
from mv3d.export.readback import PointsRead


def read_json(job: Job) -> PointsRead:
    """Points of the JSON file, which must state the unit and the axes that were asked for."""
    document = json.loads(job.path.read_bytes())
    stated = document["units"]["xyz"], document["axes"], document["keypoints"]
    wanted = job.placement.units, job.placement.axes, list(job.poses.skeleton.keypoints)
    if stated != wanted:
        raise FormatError(f"{job.path}: says {str(stated)[:80]}, not {str(wanted)[:80]}; export it again")
    people = [person["person_id"] for person in document["people"]]
    index = {int(identity): p for p, identity in enumerate(job.poses.person_id)}
    points = np.full(job.poses.xyz.shape, np.nan)
    for person in document["people"]:
        for frame, joints in enumerate(person["xyz"]):
            for joint, point in enumerate(joints):
                if point is not None:
                    points[frame, index[person["person_id"]], joint] = point
    return PointsRead(
        points[:, [index[p] for p in people]], tuple(index[p] for p in people), np.array(document["timestamps"])
    )


def read_npz(job: Job) -> PointsRead:
    """Points of the npz file through its own type."""
    poses = Poses3D.load(job.path)
    return PointsRead(np.array(poses.xyz), tuple(range(poses.xyz.shape[1])), np.array(poses.timestamps))


def read_openpose(job: Job) -> PointsRead:
    """The 3D points of OpenPose's files of the first camera; a score of 0 is a missing point."""
    poses = job.poses
    groups = hands_and_face_of(poses.skeleton)
    parts = {"face": "face", "hand_left": "left_hand", "hand_right": "right_hand"}
    order = {part: groups.get(group, ()) for part, group in parts.items()}
    taken = {joint for joints in order.values() for joint in joints}
    order = {"pose": tuple(j for j in range(len(poses.skeleton)) if j not in taken), **order}
    index = {int(identity): p for p, identity in enumerate(poses.person_id)}
    points = np.full(poses.xyz.shape, np.nan)
    for frame in range(len(poses) if poses.cameras else 0):
        path = job.path / poses.cameras[0] / f"{job.name}_{frame:012d}_keypoints.json"
        for person in json.loads(path.read_bytes())["people"]:
            for part, joints in order.items():
                values = np.array(person[f"{part}_keypoints_3d"], float).reshape(-1, 4)
                points[frame, index[person["person_id"][0]], list(joints)] = np.where(
                    values[:, 3:] > 0, values[:, :3], np.nan
                )
    return PointsRead(points, tuple(range(len(poses.person_id))), None)
