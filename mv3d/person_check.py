"""Is yesterday's calibration still true? A session's people against a rig: `mv3d calibrate --check` without a board."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calib.moves import Recheck, name_moved
from calib.recheck import YIELD, recheck_lines
from mv3d.config import Config
from mv3d.data.poses import Poses2D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.data.skeletons import judged_joints
from mv3d.detection import find_keypoints
from mv3d.errors import ConfigError, ReconstructionError, SessionError
from mv3d.files.calibration_uncertainty import known_covariance, write_moved
from mv3d.files.keypoints import read_keypoints
from mv3d.files.multiview import match_times
from mv3d.files.progress import Progress, silent
from mv3d.files.recording import Recording, fitted_camera
from mv3d.files.sessions import find_sources, match_names
from mv3d.files.staging import written_together
from mv3d.files.time_offsets import session_offsets
from mv3d.files.video import probe_video
from mv3d.files.writing import check_output_folder, refuse_overwriting
from mv3d.reconstruct.keypoints import Keypoints
from mv3d.reconstruct.pose_information import LastingErrorConfig, PoseInformation, pose_information
from mv3d.reconstruct.rig_check import sampled
from mv3d.reconstruct.rig_refinement import refine_rig
from mv3d.reconstruct.views import seen_people

# What a rig is off by of which no uncertainty is known: rad, and shares of the distance across and along the view. A
# focal length that is wrong by half a percent looks like the last.
_UNKNOWN_TURN, _UNKNOWN_ACROSS, _UNKNOWN_ALONG = 1e-3, 0.002, 0.005
# What a camera that was knocked may have turned (rad) and moved (m), standard deviation: almost anything.
_KNOCKED = (0.1, 0.1, 0.1, 0.3, 0.3, 0.3)
# Changes of the world that keypoints know nothing of: turn, shift and scale.
_SIMILARITIES = 7
_BEFORE = "cameras.before.yaml"


@dataclass(frozen=True, slots=True, eq=False)
class PersonCheck:
    """A rig held against the people that it films.

    Attributes:
        recheck: what became of the cameras.
        lasting_px: how far a joint is marked from its place for good, standard deviation.
        instants: looked at.
        earlier: whether an earlier recording by the same rig was held against this one.
    """

    recheck: Recheck
    lasting_px: float
    instants: int
    earlier: bool


def check_by_people(
    root: str | Path, rig_file: str | Path | None, config: Config, *, progress: Progress = silent
) -> PersonCheck:
    """Hold a rig against the people of a session, found in its videos or given in pose2d/. Writes nothing.

    Args:
        root: the session folder: pose2d/, or videos/ to find people in.
        rig_file: the rig; the session's cameras.yaml if None. If keypoints lie beside it in pose2d/, of a recording
            made while the rig was true, they are what the session is held against: the detector's own errors and the
            rig's, which are the same in both, are not taken for moves then.
        config: settings of the 2D stage, the choice of people and synchronisation.
        progress: progress bar.

    Raises:
        Mv3dError: no rig, no keypoints nor videos, or nobody whom two cameras see.
    """
    session, path = _session(root, rig_file)
    rig, keypoints, limbs = _seen(session, path, config, progress)
    now = _informed(rig, keypoints, limbs, config)
    change, information = now.change, now.information
    earlier = path.parent.resolve() != session.root.resolve() and Session(path.parent).pose2d.is_dir()
    if earlier:
        old_rig, old_keypoints, old_limbs = _seen(Session(path.parent), path, config, progress)
        before = _informed(old_rig, old_keypoints, old_limbs, config)
        change = change - before.change
        information = information @ np.linalg.pinv(information + before.information, 1e-10, True) @ before.information
        known = np.zeros_like(information)
    else:
        known = _known(Session(path.parent), rig, now)
    allowed = known + np.diag(np.tile(YIELD**2, len(rig)))
    information = information - information @ np.linalg.solve(information + np.linalg.inv(allowed), information)
    found = name_moved(rig, change, np.zeros((len(change), 0)), information, _SIMILARITIES, exact=False)
    return PersonCheck(found, now.lasting_px, min(len(keypoints.xy), config.rig_check.frames), earlier)


def place_by_people(
    root: str | Path, rig_file: str | Path | None, camera: str, config: Config, *, overwrite: bool, progress: Progress
) -> Rig:
    """Find the pose of one camera that was moved from the people that it and the others see; the others stay.

    Writes cameras.yaml; that of before is kept as cameras.before.yaml, and calibration/uncertainty.npz follows.

    Raises:
        Mv3dError: what is wrong; nothing is written then.
    """
    session, path = _session(root, rig_file)
    refuse_overwriting(session.rig, overwrite)
    check_output_folder(session.root)
    rig, keypoints, limbs = _seen(session, path, config, progress)
    if camera not in rig.names:
        raise ConfigError(f"--only {camera}: no such camera in {path}; there are {', '.join(rig.names)}")
    if len(rig) < 3:
        raise ConfigError(f"--only {camera}: two other cameras are needed to tell its pose from people")
    view = rig.names.index(camera)
    xy, score = sampled(keypoints, limbs, config.rig_check.frames)
    triangulation, refinement = config.reconstruct.triangulation, config.rig_check.refinement
    wide = np.diag(np.tile(_KNOCKED, len(rig)) ** 2)
    found = refine_rig(rig, xy, score, "extrinsics", triangulation, refinement, wide, only_view=view)
    stored = Rig.load(path)
    moved = replace(stored[view], R=found.rig[view].R, t=found.rig[view].t)
    whole = Rig(tuple(moved if v == view else c for v, c in enumerate(stored)))
    known = Session(path.parent).calibration_uncertainty
    with written_together(session.root) as folder:
        whole.save(Session(folder).rig)
        if session.rig.is_file():
            shutil.copyfile(session.rig, folder / _BEFORE)
        if known.is_file():
            write_moved(known, Session(folder).calibration_uncertainty, camera, found.change_sd[view])
    return whole


def _session(root: str | Path, rig_file: str | Path | None) -> tuple[Session, Path]:
    session = Session(Path(root))
    if not session.root.is_dir():
        raise SessionError(f"{session.root}: no such session folder")
    path = Path(rig_file) if rig_file is not None else session.rig
    if not path.is_file():
        raise SessionError(f"{path}: no rig to check; name it with --known-rig")
    return session, path


def _seen(session: Session, path: Path, config: Config, progress: Progress) -> tuple[Rig, Keypoints, tuple[int, ...]]:
    """The rig for the session's videos, the performer's keypoints on synchronised clocks, and the joints to use."""
    rig, poses = _keypoints(session, Rig.load(path), config, progress)
    if len(rig) < 2:
        raise ReconstructionError(f"{path}: holds one camera; the check needs two or more")
    clocks = session_offsets(session, rig.names).array(rig.names)
    timeline = match_times([p.timestamps + clock for p, clock in zip(poses, clocks, strict=True)])
    seen = seen_people(rig, poses, timeline, config.views, (), clocks)
    return rig, seen.performer, judged_joints(poses[0].skeleton)


def _keypoints(session: Session, rig: Rig, config: Config, progress: Progress) -> tuple[Rig, list[Poses2D]]:
    """Given in pose2d/, or found in the videos; the rig's lenses are scaled to these where they lie there."""
    videos = ()
    if session.videos.is_dir():
        sources = find_sources(session.videos)
        videos = tuple(probe_video(sources[name]) for name in match_names(rig.names, tuple(sources)).values())
        rig = Rig(tuple(fitted_camera(camera, video)[0] for camera, video in zip(rig, videos, strict=True)))
    if session.pose2d.is_dir():
        poses = read_keypoints(session.pose2d, rig.names)
    elif videos:
        clocks = session_offsets(session, rig.names).array(rig.names)
        timeline = match_times([video.timestamps + clock for video, clock in zip(videos, clocks, strict=True)])
        poses, _ = find_keypoints(Recording(session, rig, videos, timeline, clocks, ()), config, progress)
    else:
        raise SessionError(
            f"{session.root}: neither keypoints (pose2d/) nor videos/ of people to check the rig by; with --board it is"
            " checked by pictures of a board"
        )
    return rig, [poses[name] for name in rig.names]


def _informed(rig: Rig, keypoints: Keypoints, limbs: tuple[int, ...], config: Config) -> PoseInformation:
    xy, score = sampled(keypoints, limbs, config.rig_check.frames)
    return pose_information(rig, xy, score, config.reconstruct.triangulation, LastingErrorConfig())


def _known(session: Session, rig: Rig, seen: PoseInformation) -> np.ndarray:
    """Covariance of the poses by the calibration, or what any rig may be off by."""
    known = known_covariance(session, rig, "extrinsics") if session.rig.is_file() else None
    if known is not None:
        return known
    sd = [[_UNKNOWN_TURN] * 3 + [_UNKNOWN_ACROSS * z] * 2 + [_UNKNOWN_ALONG * z] for z in seen.distance]
    return np.diag(np.ravel(sd) ** 2)


def person_check_lines(check: PersonCheck) -> list[str]:
    """What there is to say, a line each."""
    against = ", against the earlier recording beside the rig" if check.earlier else ""
    return [
        *recheck_lines(check.recheck),
        f"by the people of {check.instants} instants, whose joints are marked {check.lasting_px:.1f} px beside their"
        f" places for good{against}",
    ]
