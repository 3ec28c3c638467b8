"""The 2D stage over a folder of images, and what it leaves for each in OpenPose's formats."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mv3d.config import Pose2DConfig
from mv3d.data.skeleton import Skeleton
from mv3d.detection import make_estimator
from mv3d.errors import ConfigError, SessionError
from mv3d.files.image_folder import list_images, read_image, write_png
from mv3d.files.progress import Progress, silent
from mv3d.files.writing import check_output_folder
from mv3d.pose2d import openpose_output
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.detector import Detector
from mv3d.pose2d.estimator import ImageMaps, PoseEstimator
from mv3d.pose2d.map_pictures import draw_heatmaps, draw_map, draw_pafs
from mv3d.pose2d.models import Model
from mv3d.pose2d.preprocess import Fit
from mv3d.viz.overlay import draw_view

_OUTPUT_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_OF_ALL = ("skeleton", "heatmaps", "background", "pafs")


@dataclass(frozen=True, slots=True)
class MapOutputs:
    """What is written beside the keypoints.

    Attributes:
        maps: which maps, if any.
        maps_format: png or float.
        draw: what to draw over the image, each by itself in a picture: skeleton, heatmaps (of all joints), background,
            pafs, a joint's name (its heatmap) or a limb as RElbow-RWrist (its field).
        keypoint_scale: unit of the keypoints.
        output_resolution: WIDTHxHEIGHT px of pictures and of the scale `output`; empty: as the image.
        candidates: whether all peaks are written.
    """

    maps: openpose_output.WantedMaps | None = None
    maps_format: str = "png"
    draw: tuple[str, ...] = ()
    keypoint_scale: openpose_output.KeypointScale = "source"
    output_resolution: str = ""
    candidates: bool = False

    @property
    def output_size(self) -> tuple[int, int] | None:
        """(width, height) px of the pictures; None: as the image.

        Raises:
            ConfigError: `output_resolution` is no size.
        """
        if not self.output_resolution:
            return None
        match = _OUTPUT_SIZE.fullmatch(self.output_resolution)
        if match is None:
            raise ConfigError(f"output resolution {self.output_resolution!r}: WIDTHxHEIGHT is wanted, as 1280x720")
        return int(match[1]), int(match[2])

    @property
    def need_maps(self) -> bool:
        """Whether the network's maps are needed, and not people alone."""
        return self.maps is not None or bool(set(self.draw) - {"skeleton"}) or self.keypoint_scale == "net"


def process_images(
    folder: Path, out: Path, config: Pose2DConfig, outputs: MapOutputs, progress: Progress = silent
) -> tuple[int, int]:
    """Find people in every image of a folder and write what was asked for.

    Returns:
        How many people, in how many images.

    Raises:
        SessionError: no images, or the folder cannot be written.
        ConfigError: maps are wanted of a detector that has none, of a joint that there is not, or `make_estimator`'s.
    """
    paths = list_images(folder) if folder.is_dir() else []
    if not paths:
        raise SessionError(f"{folder}: holds no images; give a folder of png or jpg files")
    check_output_folder(out)
    output = outputs.output_size
    estimator = make_estimator(config)
    if outputs.need_maps and not isinstance(estimator, PoseEstimator):
        raise ConfigError("maps and net pixels are those of a body network alone; leave out --hands and --face")
    layout = estimator.model.layout if isinstance(estimator, PoseEstimator) else estimator.skeleton
    _check_names(outputs.draw, layout)
    people = 0
    for path in progress(paths, len(paths), "looking for people"):
        image = read_image(path)
        detections, maps = _look(estimator, image, outputs)
        people += len(detections)
        size = (image.shape[1], image.shape[0])
        placement = maps.placement if maps is not None and maps.placement is not None else Fit(size, size)
        document = openpose_output.people_document(
            detections, estimator.skeleton, outputs.keypoint_scale, placement, output, candidates=outputs.candidates
        )
        openpose_output.write_people(out / f"{path.stem}_keypoints.json", document)
        if maps is not None and outputs.maps is not None:
            _write_maps(maps, out / path.stem, len(estimator.skeleton), outputs.maps, outputs.maps_format)
        for what in outputs.draw:
            picture = _drawn(what, image, detections, maps, estimator)
            _write_picture(Path(f"{out / path.stem}_{what}_drawn.png"), picture, output)
    return people, len(paths)


def _look(estimator: Detector, image: np.ndarray, outputs: MapOutputs) -> tuple[Detections, ImageMaps | None]:
    detections = estimator.detect([image])[0]
    if not (outputs.need_maps and isinstance(estimator, PoseEstimator)):
        return detections, None
    return detections, estimator.maps([image])[0]


def _check_names(draw: tuple[str, ...], skeleton: Skeleton) -> None:
    for what in draw:
        if what not in (*_OF_ALL, *skeleton.keypoints, *_limbs(skeleton)):
            raise ConfigError(
                f"{what!r} cannot be drawn; {', '.join(_OF_ALL)}, a joint of {skeleton.name} as {skeleton.keypoints[0]}"
                f" or a limb as {next(iter(_limbs(skeleton)), 'RElbow-RWrist')} is wanted"
            )


def _limbs(skeleton: Skeleton) -> dict[str, tuple[int, int]]:
    """PAF channels of each limb by its name."""
    names = (f"{skeleton.keypoints[a]}-{skeleton.keypoints[b]}" for a, b in skeleton.limbs)
    return dict(zip(names, skeleton.paf_channels, strict=False))


def _write_maps(maps: ImageMaps, stem: Path, joints: int, what: openpose_output.WantedMaps, format: str) -> None:
    heatmaps, pafs = maps.heatmaps.cpu().numpy(), maps.pafs.cpu().numpy()
    wanted = openpose_output.wanted_maps(heatmaps, pafs, joints, what)
    if format == "png":
        openpose_output.write_map_picture(Path(f"{stem}_heatmaps.png"), wanted)
    else:
        openpose_output.write_map_floats(Path(f"{stem}_heatmaps.float"), wanted)


def _drawn(what: str, image: np.ndarray, found: Detections, maps: ImageMaps | None, estimator: Detector) -> np.ndarray:
    skeleton = estimator.skeleton
    if what == "skeleton" or maps is None or not isinstance(estimator, PoseEstimator):
        return draw_view(image, found.xy, found.score, None, None, None, skeleton, "")
    return _drawn_map(what, image, maps, estimator.model)


def _drawn_map(what: str, image: np.ndarray, maps: ImageMaps, model: Model) -> np.ndarray:
    assert maps.placement is not None
    skeleton, where = model.layout, (maps.placement, model.stride, model.cell_offset)
    heatmaps, pafs = maps.heatmaps.cpu().numpy(), maps.pafs.cpu().numpy()
    limbs = _limbs(skeleton)
    pictures: dict[str, Callable[[], np.ndarray]] = {
        "heatmaps": lambda: draw_heatmaps(image, heatmaps[: len(skeleton)], *where),
        "background": lambda: draw_map(image, heatmaps[-1], *where),
        "pafs": lambda: draw_pafs(image, pafs, *where),
    }
    if what in pictures:
        return pictures[what]()
    if what in limbs:
        return draw_pafs(image, pafs[list(limbs[what])], *where)
    return draw_map(image, heatmaps[skeleton.index(what)], *where)


def _write_picture(path: Path, picture: np.ndarray, output: tuple[int, int] | None) -> None:
    if output is not None:
        factor = openpose_output.output_factor((picture.shape[1], picture.shape[0]), output)
        smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        picture = cv2.warpAffine(picture, np.array([[factor, 0, 0], [0, factor, 0]]), output, flags=smooth)
    write_png(path, picture)
