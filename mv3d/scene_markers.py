"""Single markers with known sizes, distances or places as the scale and the world of a rig: `mv3d rig align`."""

from pathlib import Path

import numpy as np

from calib.board_sources import sources_in
from calib.dictionaries import check_dictionary
from calib.scene_markers import Corners, find_markers, fit_scale
from calib.world import WorldChange, onto_points
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.files.marker_list import MarkerList, load_markers
from mv3d.files.scene_points import ScenePoint
from mv3d.rig_alignment import Alignment, locate, scale_line

# Lengths that are off by more than so many standard deviations of all, and by this share, are pointed out.
_ODD_SIGMAS, _ODD_SHARE = 3.0, 0.01
# A measured length: what it is of, m by the rig, m by the list.
_Length = tuple[str, float, float]


def align_to_markers(rig: Rig, listed: str | Path, folder: str | Path, *, rescale: bool = False) -> Alignment:
    """Markers of the scene tell the scale by their sizes and distances, and the world by their places.

    Args:
        rig: the cameras.
        listed: file of markers, see docs/formats.md.
        folder: pictures of the markers, as nothing moves: <camera>.jpg, <camera>/ or <camera>.mp4.
        rescale: take the scale.

    Raises:
        CalibrationError: the file cannot be used, or too few markers show in two cameras.
    """
    markers = load_markers(listed)
    places, skipped = _placed(rig, markers, listed, Path(folder))
    lengths = _lengths(markers, places)
    lines, scale = skipped, 1.0
    if lengths:
        told, scale = _scale(lengths, rescale)
        lines = [*lines, *told]
    change = WorldChange(np.eye(3), np.zeros(3), scale)
    wanted = {m.number: np.array(m.xyz) for m in markers.markers if m.xyz is not None and m.number in places}
    if any(m.xyz is not None for m in markers.markers):
        found = np.array([scale * places[n].mean(0) for n in wanted]).reshape(-1, 3)
        try:
            fit = onto_points(found, np.array([*wanted.values()]).reshape(-1, 3), rescale and not lengths)
        except ValueError as error:
            raise CalibrationError(f"{listed}: {error}; places of markers that show in two cameras count") from error
        worst = [*wanted][int(np.argmax(fit.distance))]
        rms = 1e3 * np.sqrt(np.mean(fit.distance**2))
        lines.append(
            f"world: {len(wanted)} markers, {rms:.1f} mm off (rms); the worst is marker {worst},"
            f" {1e3 * fit.distance.max():.1f} mm"
        )
        lines.append(scale_line("the markers' places", fit.scale, rescale and not lengths))
        change = WorldChange(fit.change.R, fit.change.t, scale * fit.change.scale)
    if not lengths and not wanted:
        raise CalibrationError(f"{listed}: nothing is known of the markers that show; give side_mm, distances or xyz")
    return Alignment(change.of_rig(rig), change, tuple(lines))


def _placed(rig: Rig, markers: MarkerList, listed: str | Path, folder: Path) -> tuple[dict[int, np.ndarray], list[str]]:
    """Corners (4, 3) m in the rig's world of the listed markers that two cameras show, and a line for each other."""
    try:
        check_dictionary(markers.dictionary, "DICT_4X4_50")
        corners = find_markers(rig, markers.dictionary, _sources(rig, folder))
    except ValueError as error:
        raise CalibrationError(f"{listed}: {error}") from error
    numbers = [marker.number for marker in markers.markers]
    used = [n for n in numbers if len(corners.get(n, {})) > 1]
    if not used:
        seen = ", ".join(str(n) for n in sorted(corners)) or "none"
        raise CalibrationError(
            f"{folder}: no marker of {listed} shows in two cameras; of {markers.dictionary} the pictures show {seen}"
        )
    skipped = [
        f"marker {n} shows in {next(iter(corners[n])) + ' alone' if n in corners else 'no picture'}: not used"
        for n in numbers
        if n not in used
    ]
    return {n: _corners_in_world(rig, corners, n) for n in used}, skipped


def _sources(rig: Rig, folder: Path) -> list:
    sources = sources_in(folder, single_images=True)
    if not sources:
        raise CalibrationError(f"{folder}: no pictures of the markers; <camera>.jpg, <camera>/ or <camera>.mp4")
    strange = sorted({source.camera for source in sources} - set(rig.names))
    if strange:
        raise CalibrationError(
            f"{folder}: no camera {', '.join(strange)} in the rig; name pictures as one of {', '.join(rig.names)}"
        )
    return sources


def _corners_in_world(rig: Rig, corners: Corners, number: int) -> np.ndarray:
    marked = [
        {camera: (float(quad[k, 0]), float(quad[k, 1])) for camera, quad in corners[number].items()} for k in range(4)
    ]
    points = [ScenePoint(f"corner {k} of marker {number}", None, seen) for k, seen in enumerate(marked)]
    return np.stack([*locate(rig, points).values()])


def _lengths(markers: MarkerList, places: dict[int, np.ndarray]) -> list[_Length]:
    lengths = []
    for m in markers.markers:
        if m.side is not None and m.number in places:
            around = np.linalg.norm(np.roll(places[m.number], -1, axis=0) - places[m.number], axis=1)
            lengths.append((f"side of marker {m.number}", float(around.mean()), m.side))
    for a, b, metres in markers.distances:
        if a in places and b in places:
            apart = float(np.linalg.norm(places[a].mean(0) - places[b].mean(0)))
            lengths.append((f"marker {a} to {b}", apart, metres))
    return lengths


def _scale(lengths: list[_Length], rescale: bool) -> tuple[list[str], float]:
    """What the lengths say, the odd one out first, and the scale to take."""
    found, measured = (np.array([length[i] for length in lengths]) for i in (1, 2))
    fit = fit_scale(found, measured)
    lines = [
        f"{what}: {1e3 * f:.1f} mm by the rig, {1e3 * m:.1f} mm listed ({f / m - 1:+.2%})" for what, f, m in lengths
    ]
    off = np.abs(fit.scale * found / measured - 1)
    worst = int(np.argmax(off))
    if len(lengths) > 1:
        spread = np.delete(off, worst)
        odd = off[worst] > _ODD_SHARE and off[worst] > _ODD_SIGMAS * np.sqrt(np.mean(spread**2))
        hint = ": check it, or leave it out" if odd else ""
        lines.append(
            f"the lengths agree to {fit.sd:.2%} in scale; most off is {lengths[worst][0]}, {off[worst]:.1%}{hint}"
        )
    return [*lines, scale_line("the markers", fit.scale, rescale)], fit.scale if rescale else 1.0
