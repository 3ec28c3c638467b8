"""Every annotated array of the packages is checked for shape and type while the tests run."""

import os
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

# As `mv3d` itself does: spinning threads of torch slow a loaded machine down severalfold. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_ROOT = Path(__file__).resolve().parent.parent


def _modules(package: str) -> list[str]:
    """Leaf modules of a package; numba's kernels are left out, since numba cannot compile a wrapped function."""
    found = pkgutil.walk_packages([str(_ROOT / package)], prefix=f"{package}.", onerror=lambda _: None)
    return [m.name for m in found if not m.ispkg and not m.name.endswith("_kernels")]


install_import_hook([*_modules("mv3d"), *_modules("calib")], "beartype.beartype")

# The hook must come before the first import of what it checks.
from mv3d.data.motion import Armature, Motion  # noqa: E402
from mv3d.data.rig import Rig  # noqa: E402
from mv3d.data.skeletons import COCO_18  # noqa: E402
from mv3d.geometry.rotations import rotation_from_vector  # noqa: E402

_CANDIDATES = 6
# Grey levels between codes in the pictures: a codec's error stays below half of it. So there are 32 frames at most.
_STEP = 8


@pytest.fixture(scope="session")
def repository() -> Path:
    return _ROOT


def coded_image(frame: int, view: int, size: tuple[int, int]) -> np.ndarray:
    """A picture that tells its frame (left half) and its view (right half) by their grey, also after a codec."""
    image = np.full((size[1], size[0], 3), _STEP * frame + _STEP // 2, np.uint8)
    image[:, size[0] // 2 :] = _STEP * view + _STEP // 2
    return image


def _decoded(image: np.ndarray) -> tuple[int, int]:
    half = image.shape[1] // 2
    return int(np.median(image[:, : half - 4])) // _STEP, int(np.median(image[:, half + 4 :])) // _STEP


@dataclass
class StagedEstimator:
    """Stands in for the network: knows who stood where, and finds them exactly, in an order that changes.

    It takes the place of PoseEstimator. Images come from `coded_image`. The bystander is seen in two views, with
    higher scores than the performer.

    Attributes:
        rig: cameras for images of any size.
        truth: the performer (frame, joint, 3) m.
        bystander: likewise.
        absent: frames in which nobody sees the performer.
        hidden: (view, joint) that the performer's detection lacks.
        loose: (view, joint) -> px from the true place, of a loose peak there.
        searched: frames at which whole images were looked at.
        crops: (frame, crops of all views) of each look at crops.
    """

    rig: Rig
    truth: np.ndarray
    bystander: np.ndarray | None = None
    absent: frozenset[int] = frozenset()
    hidden: frozenset[tuple[int, int]] = frozenset()
    loose: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    searched: list[int] = field(default_factory=list)
    crops: list = field(default_factory=list)
    skeleton = COCO_18

    def detect(self, images: Sequence[np.ndarray]) -> list:
        if images:
            self.searched.append(_decoded(images[0])[0])
        return [self._seen(image) for image in images]

    def detect_in_crops(self, images: Sequence[np.ndarray], crops: Sequence[Sequence]) -> list:
        from mv3d.pose2d.crops import to_crop
        from mv3d.pose2d.detections import no_detections

        assert len(images) == len(crops)
        if any(crops):
            frame = next(_decoded(image)[0] for image, own in zip(images, crops, strict=True) if own)
            self.crops.append((frame, [list(own) for own in crops]))
        out = []
        for image, own in zip(images, crops, strict=True):
            if not own:
                out.append(no_detections(len(COCO_18), _CANDIDATES))
                continue
            assert (image.shape[1], image.shape[0]) == own[0].camera.size, "the crop's camera must fit the image"

            def inside(xy: np.ndarray, crop=own[0]) -> np.ndarray:
                at = to_crop(crop, xy)
                return ((at >= 0) & (at <= crop.size - 1)).all(-1)

            out.append(self._seen(image, inside))
        return out

    def _seen(self, image: np.ndarray, inside: Callable[[np.ndarray], np.ndarray] | None = None):
        from mv3d.pose2d.detections import Detections

        frame, view = _decoded(image)
        camera = self.rig[view].resized((image.shape[1], image.shape[0]))
        people, scores = [], []
        if frame not in self.absent:
            people.append(camera.project(self.truth[frame]))
            scores.append(0.6)
        if self.bystander is not None and view < 2:
            people.append(camera.project(self.bystander[frame]))
            scores.append(0.95)
        xy = np.array(people).reshape(-1, len(COCO_18), 2)
        score = np.broadcast_to(np.array(scores).reshape(-1, 1), xy.shape[:2]).copy()
        if inside is not None:
            score[~inside(xy)] = 0
        peaks_xy, peaks_score = self._peaks(xy, score, camera, frame, view)
        if frame not in self.absent:
            score[0, [joint for v, joint in self.hidden if v == view]] = 0
        xy[score == 0] = np.nan
        order = np.random.default_rng([frame, view]).permutation(len(xy))
        order = order[score[order].max(1, initial=0) > 0]
        return Detections(xy[order], score[order], score[order].mean(1), peaks_xy, peaks_score)

    def _peaks(self, xy: np.ndarray, score: np.ndarray, camera, frame: int, view: int) -> tuple[np.ndarray, np.ndarray]:
        peaks_xy, peaks_score = np.full((len(COCO_18), _CANDIDATES, 2), np.nan), np.zeros((len(COCO_18), _CANDIDATES))
        for joint in range(len(COCO_18)):
            found = [(xy[p, joint], score[p, joint]) for p in range(len(xy)) if score[p, joint] > 0]
            if (view, joint) in self.hidden:
                found = found[1:] if frame not in self.absent else found
            if (view, joint) in self.loose:
                found.append((camera.project(self.truth[frame, joint]) + self.loose[view, joint], 0.4))
            for k, (at, s) in enumerate(sorted(found, key=lambda item: -item[1])):
                peaks_xy[joint, k], peaks_score[joint, k] = at, s
        return peaks_xy, peaks_score


@pytest.fixture
def staged_estimator() -> type[StagedEstimator]:
    return StagedEstimator


@pytest.fixture
def coded() -> Callable[[int, int, tuple[int, int]], np.ndarray]:
    return coded_image


_H, _C30 = np.sqrt(0.5), np.sqrt(0.75)
_UPPER, _FORE, _HAND = 0.3, 0.25, 0.1
_REACHES = np.array([_UPPER, _UPPER + _FORE, _UPPER + _FORE + _HAND])
# What turns shoulder and elbow (rotation vectors, degrees), and where that puts elbow, wrist and tip from the shoulder.
_KNOWN: tuple[tuple[str, tuple, tuple, np.ndarray], ...] = (
    ("rest", (0, 0, 0), (0, 0, 0), np.outer(_REACHES, [1, 0, 0])),
    ("30 about z", (0, 0, 30), (0, 0, 0), np.outer(_REACHES, [_C30, 0.5, 0])),
    # A turn about the forearm itself moves nothing.
    ("90 about z, twist", (0, 0, 90), (90, 0, 0), np.outer(_REACHES, [0, 1, 0])),
    # The forearm rises as steeply as the upper arm falls.
    (
        "45 about y and back",
        (0, 45, 0),
        (0, -90, 0),
        _H * np.array([[r, 0, r - 2 * _UPPER] for r in _REACHES]),
    ),
    # The middle angle of some order is a right one: gimbal lock.
    ("lock about y", (0, 90, 0), (0, 0, 0), np.outer(_REACHES, [0, 0, -1])),
    ("lock about x", (-90, 0, 0), (0, 0, 90), np.array([[_UPPER, 0, _UPPER - r] for r in _REACHES])),
    ("lock about z", (0, 0, -90), (0, -90, 0), np.array([[0, -_UPPER, r - _UPPER] for r in _REACHES])),
)


@dataclass(frozen=True)
class KnownMotion:
    """An arm that turns by angles that are easy to check, one pose a frame at 50 fps, its root moving along y.

    Attributes:
        motion: joints Shoulder, Elbow and "Wrist joint"; the wrist has a tip.
        places: elbow, wrist and tip in the world (frame, 3, 3) m, by hand.
    """

    motion: Motion
    places: np.ndarray


def _known_motion(mirrored: bool) -> KnownMotion:
    """The mirror maps x to -x: places mirror; rotation vectors keep x and change the signs of y and z."""
    flip = -1.0 if mirrored else 1.0
    nowhere, x = np.full(3, np.nan), np.array([flip, 0.0, 0.0])
    offsets = np.stack([0 * x, _UPPER * x, _FORE * x])
    names = ("Shoulder", "Elbow", "Wrist joint")
    armature = Armature("arm", names, (-1, 0, 1), offsets, np.stack([nowhere, nowhere, _HAND * x]))
    vectors = np.radians([[shoulder, elbow, (0, 0, 0)] for _, shoulder, elbow, _ in _KNOWN]) * [1, flip, flip]
    root = np.array([0.4, -0.2, 1.1]) + np.arange(len(_KNOWN))[:, None] * [0, 0.1, 0]
    motion = Motion(armature, rotation_from_vector(vectors), root, np.arange(len(_KNOWN)) / 50)
    return KnownMotion(motion, np.stack([places for *_, places in _KNOWN]) * [flip, 1, 1] + root[:, None])


@pytest.fixture(params=[False, True], ids=["right", "mirrored"])
def known_motion(request: pytest.FixtureRequest) -> KnownMotion:
    """A motion with places known by hand, and its mirror image."""
    return _known_motion(request.param)
