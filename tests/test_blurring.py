"""--blur-faces where pictures leave a session: the overlay of a run, its stills, and what the viewer shows."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from mv3d import pictures
from mv3d.commands.settings import Settings
from mv3d.config import OutputConfig
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.data.skeletons import COCO_18
from mv3d.files.progress import silent
from mv3d.files.recording import Recording, open_recording
from mv3d.files.session_record import made_without_faces, session_record
from mv3d.files.video import VideoWriter
from mv3d.pictures import draw, stills_of
from mv3d.synthetic.rigs import camera_ring
from mv3d.viz.camera_images import CameraImages

SIZE = (160, 120)
FACE = (slice(35, 65), slice(65, 95))


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    rig = camera_ring(2, size=SIZE, focal=95.0, seed=5)
    noise = np.random.default_rng(0).integers(0, 255, (15, 20, 3), dtype=np.uint8)
    for name in rig.names:
        with VideoWriter(tmp_path / f"videos/{name}.mp4", 25.0) as writer:
            for _ in range(4):
                writer.write(np.kron(noise, np.ones((8, 8, 1), np.uint8)))
    rig.save(tmp_path / "cameras.yaml")
    return open_recording(tmp_path)


def _poses(rig: Rig) -> dict[str, Poses2D]:
    xy, score = np.full((4, 1, 18, 2), np.nan, np.float32), np.zeros((4, 1, 18), np.float32)
    for name, at in (("Nose", (80, 50)), ("REar", (66, 50)), ("LEar", (94, 50))):
        joint = COCO_18.keypoints.index(name)
        xy[:, 0, joint], score[:, 0, joint] = at, 0.8
    return {name: Poses2D(COCO_18, xy.copy(), score.copy(), np.arange(4) / 25) for name in rig.names}


def _skeleton(rig: Rig) -> Poses3D:
    zeros = np.zeros((4, 1, 18))
    return Poses3D(
        COCO_18,
        np.zeros((4, 1, 18, 3)),
        score=zeros.astype(np.float32),
        reprojection_error=zeros.astype(np.float32),
        n_views=zeros.astype(np.uint8),
        covariance=np.zeros((4, 1, 18, 3, 3), np.float32),
        state=np.ones((4, 1, 18), np.uint8),
        xyz_per_frame=np.zeros((4, 1, 18, 3)),
        timestamps=np.arange(4) / 25,
        cameras=rig.names,
        person_id=np.zeros(1, np.int64),
        time_offsets=np.zeros(2),
    )


@pytest.mark.parametrize("blur", [False, True])
def test_overlay_of_a_run(recording: Recording, monkeypatch: pytest.MonkeyPatch, blur: bool) -> None:
    drawn_on: list[np.ndarray] = []

    def overlays(images, *_: object):
        for views in images:
            drawn_on.extend(views)
            yield np.zeros((16, 16, 3), np.uint8)

    monkeypatch.setattr(pictures, "overlay_frames", overlays)
    monkeypatch.setattr(pictures, "at_times", lambda poses, *_: poses)
    config = OutputConfig(scene=False, blur_faces=blur)
    draw(recording, config, _poses(recording.rig), _skeleton(recording.rig), np.zeros((4, 2, 5, 2)), silent)
    plain = [image for views in recording.images() for image in views]
    assert len(drawn_on) == len(plain) == 8
    for image, original in zip(drawn_on, plain, strict=True):
        assert original is not None
        assert bool((image[FACE] != original[FACE]).any()) == blur
        np.testing.assert_array_equal(image[:, :40], original[:, :40])


def test_what_the_viewer_shows(recording: Recording) -> None:
    rig, videos = recording.rig, dict(zip(recording.rig.names, recording.videos, strict=True))
    poses = _poses(rig)
    del poses[rig.names[1]]
    images = CameraImages(rig, videos, _skeleton(rig), poses)
    assert images.names == rig.names[:1], "without keypoints nothing is shown"
    original = next(iter(recording.images()))[0]
    shown = images.image(rig.names[0], 0)
    assert shown is not None
    assert original is not None
    assert (shown[FACE] != original[FACE]).any()


def test_stills_of_an_overlay_with_faces_are_left_out(tmp_path: Path) -> None:
    for name in ("overlay.mp4", "scene.mp4"):
        with VideoWriter(tmp_path / name, 25.0) as writer:
            for _ in range(10):
                writer.write(np.zeros((16, 16, 3), np.uint8))
    session = Session(tmp_path)
    assert len(stills_of(session, 10)) == 6
    assert {title.split(",")[0] for title, _ in stills_of(session, 10, without_faces=True)} == {"scene"}
    (tmp_path / "session.yaml").write_text(yaml.safe_dump({"settings": {"output": {"blur_faces": True}}}))
    assert made_without_faces(tmp_path)
    assert len(stills_of(session, 10, without_faces=True)) == 6
    (tmp_path / "session.yaml").write_text("[broken")
    assert not made_without_faces(tmp_path)
    assert session_record(tmp_path) == {}


def test_the_flag_reaches_the_configuration() -> None:
    assert Settings(blur_faces=True).load().output.blur_faces
    assert not Settings().load().output.blur_faces
