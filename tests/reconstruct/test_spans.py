import numpy as np

from mv3d.data.poses import MEASURED, Poses3D
from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct.spans import swapped_spans, unseen_spans
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

FPS = 20.0


def poses_of(xyz: np.ndarray, n_views: np.ndarray) -> Poses3D:
    shape = (len(xyz), 1, len(BODY_25))
    return Poses3D(
        skeleton=BODY_25,
        xyz=xyz[:, None],
        score=np.ones(shape),
        reprojection_error=np.ones(shape),
        n_views=n_views[:, None],
        covariance=np.broadcast_to(1e-4 * np.eye(3), (*shape, 3, 3)),
        state=np.full(shape, MEASURED),
        xyz_per_frame=xyz[:, None],
        timestamps=2.0 + np.arange(len(xyz)) / FPS,
        cameras=("cam01", "cam02", "cam03"),
    )


def test_joints_that_too_few_cameras_see_are_told_with_their_time() -> None:
    xyz, _ = walking_person(60, fps=FPS)
    views = np.full((60, 25), 3)
    wrist = BODY_25.index("RWrist")
    views[10:30, wrist] = 1
    views[20:22, wrist] = 2  # two good frames do not end it
    views[40:44, wrist] = 1  # 0.2 s: too short to tell
    views[:, BODY_25.index("Nose")] = 0  # no limb
    (span,) = unseen_spans(poses_of(xyz, views))
    assert (span.what, span.camera) == ("RWrist", None)
    assert np.allclose([span.start, span.duration], [2.5, 1.0])


def test_legs_swapped_in_one_camera() -> None:
    xyz, _ = walking_person(60, fps=FPS)
    rig = camera_ring(3)
    xy = np.stack([camera.project(xyz) for camera in rig], axis=1)
    right = [BODY_25.index(name) for name in ("RHip", "RKnee", "RAnkle")]
    left = [BODY_25.index(name) for name in ("LHip", "LKnee", "LAnkle")]
    xy[20:44, 1, right], xy[20:44, 1, left] = xy[20:44, 1, left], xy[20:44, 1, right]
    (first, *_) = swapped_spans(rig, xy, poses_of(xyz, np.full((60, 25), 3)))
    assert (first.what, first.camera) == ("legs", "cam02")
    assert np.allclose([first.start, first.duration], [3.0, 1.2], atol=2 / FPS)
    assert swapped_spans(rig, np.full_like(xy, np.nan), poses_of(xyz, np.full((60, 25), 3))) == ()
