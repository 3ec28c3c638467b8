"""The 2D stage over whole recordings: guided by the last skeleton, or one view at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mv3d.config import Config, Pose2DConfig
from mv3d.data.poses import Poses2D
from mv3d.data.session import Session
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BLAZEPOSE_33, with_hands_and_face
from mv3d.files.progress import Progress, silent
from mv3d.files.recording import Recording, open_recording
from mv3d.files.staging import written_together
from mv3d.files.video import read_frames
from mv3d.files.writing import check_output_folder, refuse_overwriting
from mv3d.guidance import Guide, Look
from mv3d.people_guidance import PeopleGuide
from mv3d.pose2d.assembly import openpose_thresholds
from mv3d.pose2d.blazepose import BlazePoseModel
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.detector import Detector
from mv3d.pose2d.estimator import PoseEstimator
from mv3d.pose2d.onnx_model import OnnxPersonModel
from mv3d.pose2d.part_estimator import load_part_estimator
from mv3d.pose2d.recognition import model_called
from mv3d.pose2d.top_down import PersonModel, TopDownEstimator
from mv3d.pose2d.tracking import FlowTracker
from mv3d.pose2d.whole_body import WholeBodyEstimator
from mv3d.reconstruct.keypoints import Keypoints
from mv3d.reconstruct.people import PeopleTracker

BLAZEPOSE = "blazepose"
# Who finds the people in whole images for models that look at one person.
_FINDER = "mobilenet_thin"


def make_estimator(config: Pose2DConfig) -> Detector:
    """The 2D stage by its settings.

    Raises:
        ConfigError: no such model, no weights of it, or a device or package that is not there.
        FormatError: a model file that cannot be used.
    """
    body = _body(config)
    if not (config.hands or config.face):
        return body
    parts = [
        load_part_estimator(name, config.device, config.engine, config.parts) if wanted else None
        for name, wanted in (("hand_21", config.hands), ("face_70", config.face))
    ]
    return WholeBodyEstimator(body, *parts)


def _body(config: Pose2DConfig) -> Detector:
    model = _person_model(config)
    name = config.model if model is None else _FINDER
    thresholds = openpose_thresholds(name, maximize_positives=config.maximize_positives)
    estimator = PoseEstimator(
        name,
        device=config.device,
        long_sides=config.long_sides,
        config=replace(thresholds, order=config.assembly),
        engine=config.engine,
        resolution=config.resolution,
    )
    return estimator if model is None else TopDownEstimator(model, estimator)


def _person_model(config: Pose2DConfig) -> PersonModel | None:
    """The top-down model that was asked for; None for the networks of `mv3d models list`."""
    if config.model == BLAZEPOSE:
        return BlazePoseModel()
    if config.model.endswith(".onnx"):
        return OnnxPersonModel(Path(config.model), config.device)
    return None


def detected_skeleton(config: Pose2DConfig) -> Skeleton:
    """The joints that the 2D stage will find, told without running it."""
    if config.model == BLAZEPOSE:
        body = BLAZEPOSE_33
    else:
        model = _person_model(config)
        body = model_called(config.model)[0].skeleton if model is None else model.skeleton
    return with_hands_and_face(body, config.hands, 70 if config.face else 0)


def find_keypoints(
    recording: Recording, config: Config, progress: Progress = silent
) -> tuple[dict[str, Poses2D], np.ndarray]:
    """The 2D stage of a run: looks guided by the last skeletons; where people are tracked in 2D, whole images.

    Returns:
        Keypoints on each video's own frames by camera name, and crop outlines (frame, view, corner, 2) px on the
        timeline; NaN without a crop.
    """
    if config.reconstruct.people.count == 1:
        keypoints, outlines = find_guided(recording, config, progress)
        return to_poses2d(recording, keypoints), outlines
    if not config.pose2d.track:
        return find_everybody_guided(recording, config, progress)
    outlines = np.full((len(recording.timeline.timestamps), len(recording.rig), 4, 2), np.nan)
    return dict(_find_everybody(recording, config, progress)), outlines


def find_guided(recording: Recording, config: Config, progress: Progress = silent) -> tuple[Keypoints, np.ndarray]:
    """The performer's keypoints in all videos, each look guided by the last skeleton.

    Returns:
        Keypoints on the recording's timeline, and crop outlines (frame, view, corner, 2) px, NaN without a crop.
    """
    estimator = make_estimator(config.pose2d)
    guide = Guide(recording.rig, estimator, config.guidance, config.reconstruct.association)
    times = recording.timeline.timestamps
    instants = zip(times, recording.images(), strict=True)
    looks = [guide.look(images, float(t)) for t, images in progress(instants, len(times), "looking for the person")]
    keypoints = Keypoints(
        estimator.skeleton,
        times,
        *(_as_in_files([getattr(look, n) for look in looks]) for n in ("xy", "score", "peaks_xy", "peaks_score")),
    )
    return keypoints, _stacked_outlines(looks, len(recording.rig))


def find_everybody_guided(
    recording: Recording, config: Config, progress: Progress = silent
) -> tuple[dict[str, Poses2D], np.ndarray]:
    """Everybody in whole images, and in crops around those who are known by then; see `find_keypoints`."""
    estimator, rig, timeline = make_estimator(config.pose2d), recording.rig, recording.timeline
    guide = PeopleGuide(rig, estimator, config.guidance, search_s=0.0)
    tracker = PeopleTracker(rig, estimator.skeleton, config.reconstruct.people)
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [
        [_nobody(estimator)] * video.frame_count for video in recording.videos
    ]
    outlines = np.full((len(timeline.timestamps), len(rig), 4, 2), np.nan)
    instants = zip(timeline.timestamps, recording.images(), strict=True)
    for f, (t, images) in enumerate(progress(instants, len(timeline.timestamps), "looking for people")):
        look = guide.look(images, float(t), tracker.expected(float(t)))
        tracker.step(look.xy, look.score, float(t))
        for v in np.flatnonzero(timeline.present[f]):
            found[v][timeline.index[f, v]] = look.xy[v], look.score[v]
    poses = {
        name: _padded(estimator, own, video.timestamps)
        for name, own, video in zip(rig.names, found, recording.videos, strict=True)
    }
    return poses, outlines


def _nobody(estimator: Detector) -> tuple[np.ndarray, np.ndarray]:
    joints = len(estimator.skeleton)
    return np.zeros((0, joints, 2)), np.zeros((0, joints))


def find_in_whole_images(
    root: str | Path, config: Config, *, overwrite: bool = False, progress: Progress = silent
) -> dict[str, Path]:
    """Everybody in every video, one view at a time, whole images; writes pose2d/<camera>.npz."""
    recording = open_recording(root, common_time=True)
    session = recording.session
    refuse_overwriting(session.pose2d, overwrite)
    check_output_folder(session.root)
    with written_together(session.root, ("pose2d/*.npz",)) as folder:
        for name, poses in _find_everybody(recording, config, progress):
            poses.save(Session(folder).pose2d / f"{name}.npz")
    return {name: session.pose2d / f"{name}.npz" for name in recording.rig.names}


def _find_everybody(recording: Recording, config: Config, progress: Progress) -> Iterator[tuple[str, Poses2D]]:
    """Camera by camera, everybody in its whole images."""
    estimator = make_estimator(config.pose2d)
    for camera, video in zip(recording.rig, recording.videos, strict=True):
        frames = progress(read_frames(video.path, info=video), video.frame_count, f"2D pose, {camera.name}")
        everybody = _found(estimator, (image for _, image in frames), config.pose2d)
        found = [(detections.xy, detections.score) for detections in everybody]
        yield camera.name, _padded(estimator, found, video.timestamps)


def _found(estimator: Detector, images: Iterable[np.ndarray], config: Pose2DConfig) -> Iterator[Detections]:
    """Everybody in each image, or the one person who is followed."""
    if not config.track:
        yield from (estimator.detect([image])[0] for image in images)
        return
    tracker = FlowTracker(estimator, config.tracking)
    joints = len(estimator.skeleton)
    for image in images:
        xy, score = tracker.next(image)
        nobody = np.full((joints, 0, 2), np.nan), np.zeros((joints, 0))
        yield Detections(xy[None], score[None], np.array([score.mean()]), *nobody)


def to_poses2d(recording: Recording, keypoints: Keypoints) -> dict[str, Poses2D]:
    """Keypoints on the frames of each video, which may have more than the timeline."""
    out = {}
    timeline = recording.timeline
    for v, (camera, video) in enumerate(zip(recording.rig, recording.videos, strict=True)):
        there = timeline.present[:, v]
        own = timeline.index[there, v]
        joints = len(keypoints.skeleton)
        xy, score = np.full((video.frame_count, 1, joints, 2), np.nan), np.zeros((video.frame_count, 1, joints))
        xy[own, 0], score[own, 0] = keypoints.xy[there, v], keypoints.score[there, v]
        peaks_xy = peaks_score = None
        if keypoints.peaks_xy is not None and keypoints.peaks_score is not None:
            peaks_xy = np.full((video.frame_count, *keypoints.peaks_xy.shape[2:]), np.nan)
            peaks_score = np.zeros(peaks_xy.shape[:-1])
            peaks_xy[own], peaks_score[own] = keypoints.peaks_xy[there, v], keypoints.peaks_score[there, v]
        out[camera.name] = Poses2D(keypoints.skeleton, xy, score, video.timestamps, peaks_xy, peaks_score)
    return out


def _padded(estimator: Detector, found: Sequence[tuple[np.ndarray, np.ndarray]], timestamps: np.ndarray) -> Poses2D:
    """Detections of every frame in as many slots as the fullest frame needs."""
    slots = max([len(own) for _, own in found] + [1])
    joints = len(estimator.skeleton)
    xy, score = np.full((len(found), slots, joints, 2), np.nan), np.zeros((len(found), slots, joints))
    for i, (own_xy, own_score) in enumerate(found):
        xy[i, : len(own_xy)], score[i, : len(own_xy)] = own_xy, own_score
    return Poses2D(estimator.skeleton, xy, score, timestamps)


def _as_in_files(arrays: list[np.ndarray]) -> np.ndarray:
    """Rounded as pose2d/ keeps them, so that reconstructing from the files gives the same skeleton to the last bit."""
    return np.stack(arrays).astype(np.float32).astype(float)


def _stacked_outlines(looks: list[Look], views: int) -> np.ndarray:
    corners = max([len(o) for look in looks for o in look.outlines if o is not None] + [4])
    out = np.full((len(looks), views, corners, 2), np.nan)
    for f, look in enumerate(looks):
        for v, polygon in enumerate(look.outlines):
            if polygon is not None:
                out[f, v, : len(polygon)] = polygon
    return out
