"""Commands around 2D detectors: their evaluation, and which there are."""

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from mv3d.commands.arguments import Lines
from mv3d.commands.settings import Settings
from mv3d.errors import ConfigError

if TYPE_CHECKING:
    from mv3d.pose2d.evaluation import Evaluation
    from mv3d.pose2d.models import Model

_DEFAULTS = Settings()


def eval_coco(
    images: tyro.conf.Positional[Path],
    annotations: tyro.conf.Positional[Path],
    json: Path | None = None,
    limit: int | None = None,
    settings: Settings = _DEFAULTS,
) -> Lines:
    """Judge a 2D detector on images with COCO keypoint annotations: AP, AP50 and PCK of each joint.

    Args:
        images: folder of images; annotated images that are not in it are left out.
        annotations: person_keypoints_*.json of COCO, or a file of its form.
        json: write the figures to this file as well.
        limit: only the first so many images.
        settings: shared settings; --model and --device choose the detector.
    """
    from mv3d.detection import make_estimator
    from mv3d.files.writing import write_text
    from mv3d.pose2d.evaluation import evaluate_on_coco

    if limit is not None and limit < 1:
        raise ConfigError(f"--limit is {limit}; a positive number is wanted")
    config = settings.load().pose2d
    evaluation = evaluate_on_coco(make_estimator(config), images, annotations, limit, settings.progress)
    if json is not None:
        write_text(json, _as_json(evaluation, {"model": config.model, "long_sides": list(config.long_sides)}))
    return settings.unless_quiet(_lines(evaluation))


def _as_json(evaluation: "Evaluation", facts: dict[str, Any]) -> str:
    figures = {"images": evaluation.images, "people": evaluation.people, **evaluation.statistics}
    pck = {name: value if value == value else None for name, value in evaluation.pck.items()}
    return json.dumps({**facts, **figures, "PCK": pck}, indent=1) + "\n"


def _lines(evaluation: "Evaluation") -> Lines:
    shown = ("AP", "AP50", "AP75", "APM", "APL", "AR")
    return [
        f"{evaluation.images} images, {evaluation.people} annotated people",
        "  ".join(f"{name} {evaluation.statistics[name]:.3f}" for name in shown),
        f"PCK within 0.1 of the box, mean {evaluation.mean_pck:.3f}",
        *(f"  {name:<10}{value:.3f}" for name, value in evaluation.pck.items()),
    ]


def images(
    folder: tyro.conf.Positional[Path],
    out: Path,
    heatmaps: tuple[Literal["parts", "background", "pafs"], ...] = (),
    heatmaps_scale: Literal["symmetric", "unit", "uint8", "none"] = "uint8",
    heatmaps_format: Literal["png", "float"] = "png",
    draw: tuple[str, ...] = (),
    keypoint_scale: Literal[
        "source", "net", "output", "unit", "symmetric", "unit_aspect", "symmetric_aspect"
    ] = "source",
    output_resolution: str = "",
    part_candidates: bool = False,
    settings: Settings = _DEFAULTS,
) -> Lines:
    """People in a folder of images, in OpenPose's files: keypoints as JSON, heatmaps and fields if asked for.

    Args:
        folder: the images.
        out: folder for the files.
        heatmaps: maps to write, any of parts, background and pafs.
        heatmaps_scale: symmetric -1 to 1, unit 0 to 1, uint8 0 to 255, none as they are.
        heatmaps_format: png with the maps side by side (uint8 only), or OpenPose's float file.
        draw: pictures of each image, each with one thing drawn over it: skeleton, heatmaps, background, pafs, a joint
            (RWrist: its heatmap) or a limb (RElbow-RWrist: its field).
        keypoint_scale: source pixels, net pixels, output pixels, unit from 0 to 1, symmetric from -1 to 1; the last two
            by the longer side for x and y alike with _aspect. OpenPose's 0 to 6.
        output_resolution: WIDTHxHEIGHT px of the pictures and of the scale output; as the image if empty.
        part_candidates: write all peaks of each joint, assembled or not.
        settings: shared settings.
    """
    from mv3d.image_outputs import MapOutputs, process_images
    from mv3d.pose2d.openpose_output import WantedMaps

    if heatmaps and heatmaps_format == "png" and heatmaps_scale != "uint8":
        raise ConfigError("--heatmaps-format png holds uint8 only; pass --heatmaps-scale uint8, or the float format")
    wanted = WantedMaps("parts" in heatmaps, "background" in heatmaps, "pafs" in heatmaps, heatmaps_scale)
    maps = wanted if heatmaps else None
    outputs = MapOutputs(maps, heatmaps_format, draw, keypoint_scale, output_resolution, part_candidates)
    people, count = process_images(folder, out, settings.load().pose2d, outputs, settings.progress)
    return settings.unless_quiet([f"{people} people in {count} images; {out}"])


def models_list() -> Lines:
    """Which 2D networks there are: joints, whether their weights are installed, licence and origin."""
    from mv3d.pose2d.models import MODELS

    rows = [(m.name, m.skeleton.name, _state_of(m), f"{m.licence}; {m.origin}") for m in MODELS.values()]
    packages = (("blazepose", "BLAZEPOSE_33", "mediapipe"), ("FILE.onnx", "of the file", "onnxruntime"))
    terms = {"blazepose": "Apache-2.0; MediaPipe, in the package", "FILE.onnx": "the file's own; RTMPose, RTMW"}
    rows += [(name, joints, _state_of_package(package), terms[name]) for name, joints, package in packages]
    return [f"{name:<16}{joints:<14}{state:<15}{whose}" for name, joints, state, whose in rows]


def _state_of(model: "Model") -> str:
    from mv3d.pose2d.weight_store import checked_path

    if checked_path(model.stored_as) is not None:
        return "installed"
    return "ships" if model.ships else "not installed"


def _state_of_package(package: str) -> str:
    return "installed" if importlib.util.find_spec(package) else f"pip: {package}"


def models_add(source: tyro.conf.Positional[str]) -> Lines:
    """Add weights: of a file that you have, or fetched by a model's name.

    Caffe models (.caffemodel), PyTorch state dicts (.pth), frozen TensorFlow graphs (.pb) and safetensors are read; the
    model is recognised by its layers.

    Args:
        source: the file, or the name of a model of `mv3d models list`.
    """
    from mv3d.pose2d.models import MODELS
    from mv3d.pose2d.weight_import import add_weights, fetch_weights

    path = Path(source)
    added = fetch_weights(MODELS[source]) if source in MODELS and not path.exists() else add_weights(path)
    doubt = " The file is not the one that was published under this name: judge it by its results."
    return [
        f"{added.model.name}: {added.kind} weights, {len(added.model.skeleton)} joints of {added.model.skeleton.name}",
        f"licence: {added.model.licence}.{doubt if added.published is False else ''}",
        f"kept as {added.path} (sha256 {added.sha256})",
    ]
