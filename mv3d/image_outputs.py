"""The 2D stage over a folder of images, and what it leaves for each in OpenPose's formats."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mv3d.config import Pose2DConfig
from mv3d.detection import make_estimator
from mv3d.errors import ConfigError, SessionError
from mv3d.files.image_folder import list_images, read_image
from mv3d.files.progress import Progress, silent
from mv3d.files.writing import check_output_folder, whole_file
from mv3d.pose2d import openpose_output
from mv3d.pose2d.estimator import ImageMaps, PoseEstimator
from mv3d.pose2d.map_pictures import draw_heatmaps, draw_pafs
from mv3d.pose2d.models import model_named
from mv3d.pose2d.preprocess import Fit


@dataclass(frozen=True, slots=True)
class MapOutputs:
    """What is written beside the keypoints.

    Attributes:
        maps: which maps, if any.
        maps_format: png or float.
        draw: heatmaps and pafs to draw over the image.
        keypoint_scale: unit of the keypoints.
        candidates: whether all peaks are written.
    """

    maps: openpose_output.WantedMaps | None
    maps_format: str
    draw: tuple[str, ...]
    keypoint_scale: openpose_output.KeypointScale
    candidates: bool


def process_images(
    folder: Path, out: Path, config: Pose2DConfig, outputs: MapOutputs, progress: Progress = silent
) -> tuple[int, int]:
    """Find people in every image of a folder and write what was asked for.

    Returns:
        How many people, in how many images.

    Raises:
        SessionError: no images, or the folder cannot be written.
        ConfigError: maps are wanted of a detector that has none, or `make_estimator`'s.
    """
    paths = list_images(folder) if folder.is_dir() else []
    if not paths:
        raise SessionError(f"{folder}: holds no images; give a folder of png or jpg files")
    check_output_folder(out)
    estimator = make_estimator(config)
    with_maps = outputs.maps is not None or bool(outputs.draw) or outputs.keypoint_scale == "net"
    if with_maps and not isinstance(estimator, PoseEstimator):
        raise ConfigError("maps and net pixels are those of a body network alone; leave out --hands and --face")
    people = 0
    for path in progress(paths, len(paths), "looking for people"):
        image = read_image(path)
        detections = estimator.detect([image])[0]
        people += len(detections)
        maps = estimator.maps([image])[0] if with_maps and isinstance(estimator, PoseEstimator) else None
        size = (image.shape[1], image.shape[0])
        placement = maps.placement if maps is not None and maps.placement is not None else Fit(size, size)
        document = openpose_output.people_document(
            detections, estimator.skeleton, outputs.keypoint_scale, placement, candidates=outputs.candidates
        )
        openpose_output.write_people(out / f"{path.stem}_keypoints.json", document)
        if maps is not None:
            _write_maps(image, maps, out / path.stem, config, outputs)
    return people, len(paths)


def _write_maps(image: np.ndarray, maps: ImageMaps, stem: Path, config: Pose2DConfig, outputs: MapOutputs) -> None:
    model = model_named(config.model)
    heatmaps, pafs = maps.heatmaps.cpu().numpy(), maps.pafs.cpu().numpy()
    joints = len(model.skeleton)
    if outputs.maps is not None:
        wanted = openpose_output.wanted_maps(heatmaps, pafs, joints, outputs.maps)
        if outputs.maps_format == "png":
            openpose_output.write_map_picture(Path(f"{stem}_heatmaps.png"), wanted)
        else:
            openpose_output.write_map_floats(Path(f"{stem}_heatmaps.float"), wanted)
    assert maps.placement is not None
    where = maps.placement, model.stride, model.cell_offset
    pictures = {"heatmaps": lambda: draw_heatmaps(image, heatmaps[:joints], *where)}
    pictures["pafs"] = lambda: draw_pafs(image, pafs, *where)
    for what in outputs.draw:
        encoded = cv2.imencode(".png", pictures[what]())[1]
        with whole_file(Path(f"{stem}_{what}_drawn.png")) as part:
            part.write_bytes(encoded.tobytes())
