"""Calibration of a real rig from its videos of a board: held-out scores, lens transfer, and what corruptions do.

    python scripts/bench_calibration_rig.py FOLDER --board NAME [--seeds 4] [--json OUT.json]

FOLDER holds one video a camera, or is a session folder. Detection and calibration with the defaults; alternating blocks
of six frames are held out, and both halves train in turn. Scores by `calib.held_out`: px, board mm, scale %. Lens
transfer: the lenses of one half take the poses of the other half's boards, view by view, against fits of single cameras
to that half. Every corruption spoils the training half only; its score is given as a ratio to the clean one, mean and
worst over seeds and halves (the spoilt camera changes with the seed), with the sentences that name what is wrong in the
first trial.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from calib.assembly import Task, assemble
from calib.board_sources import BoardSource, align, extrinsics_sources
from calib.boards import Board, load_square_board
from calib.calibrate import calibrate_rig
from calib.detection_cache import detect_in
from calib.held_out import HeldOutScore, score_held_out
from calib.intrinsics import fit_camera
from calib.observations import BoardObservations
from calib.result import CalibrationResult
from calib.sampling import SamplingConfig, observe_session
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import CalibrationError
from mv3d.synthetic import boards
from mv3d.synthetic.boards import SyntheticBoard

_BLOCK = 6
_FEWEST_CORNERS = 6
# Of a picture out of focus, standard deviation.
_BLUR_PX = 2.0

Film = Callable[[SyntheticBoard, int, int], SyntheticBoard]
CORRUPTIONS: dict[str, Film] = {
    "5 % of the corners 50 px off": lambda b, c, seed: boards.displace_corners(b, 0.05, 50.0, seed),
    "10 % of the views numbered backwards": lambda b, c, seed: boards.reverse_corners(b, 0.1, seed)[0],
    "a camera one frame late": lambda b, c, seed: boards.delay_camera(b, c, 1),
    "half of the corners missing": lambda b, c, seed: boards.lose_corners(b, 0.5, seed),
    "30 % bad views": lambda b, c, seed: boards.spoil_views(b, 0.3, 30.0, seed)[0],
    "2 px of noise in a camera": lambda b, c, seed: boards.blur_camera(b, c, 2.0, seed),
}


@dataclass(slots=True)
class Row:
    """Ratios of a corruption's scores to the clean ones, refusals, and what was said about it in the first trial."""

    px: list[float] = field(default_factory=list)
    mm: list[float] = field(default_factory=list)
    refused: int = 0
    said: str = ""


@contextmanager
def session_of(folder: Path) -> Iterator[Path]:
    """The folder itself if it is a session, else a session of its videos for as long as it is needed."""
    if (folder / "calibration").is_dir() or (folder / "videos").is_dir():
        yield folder
        return
    with tempfile.TemporaryDirectory() as session:
        (Path(session) / "calibration").mkdir()
        (Path(session) / "calibration" / "extrinsics").symlink_to(folder.resolve())
        yield Path(session)


def observe(folder: Path, board: Board) -> BoardObservations:
    """What the detector finds in a session, or in a folder of one video a camera."""
    with session_of(folder) as session:
        return observe_session(session, board, SamplingConfig(cache=False))


@dataclass(frozen=True, slots=True, eq=False)
class Blurred(BoardSource):
    """A source out of focus."""

    def read(self, wanted: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Some frames, blurred."""
        for number, image in BoardSource.read(self, wanted):
            yield number, cv2.GaussianBlur(image, (0, 0), _BLUR_PX)


def observe_blurred(folder: Path, clean: BoardObservations) -> list[BoardObservations]:
    """For each camera what the detector finds if its pictures, and no others, are blurred."""
    sampling, found = SamplingConfig(), []
    with session_of(folder) as session:
        sources = extrinsics_sources(Session(session))
        alignment = align(sources, sampling.extrinsics_frames, sampling.run_frames)
        for c, source in enumerate(sources):
            soft = Blurred(source.camera, source.path, source.video, source.images)
            frames = alignment.index[:, c]
            task = Task(soft, np.unique(frames[frames >= 0]), "extrinsics", soft.names())
            seen = detect_in(soft, clean.board, task.frames)
            column = replace(alignment, index=alignment.index[:, [c]], times=alignment.times[:, [c]])
            alone = assemble(clean.board, [task], [seen], column, sampling.intrinsics_views)
            xy, sigma = clean.xy.copy(), clean.sigma_px.copy()
            own = clean.cameras.index(source.camera)
            xy[own, : len(column.names)], sigma[own, : len(column.names)] = alone.xy[0], alone.sigma_px[0]
            found.append(replace(clean, xy=xy, sigma_px=sigma))
    return found


def halves(observations: BoardObservations) -> list[BoardObservations]:
    """Alternating blocks of frames, the other blocks blank."""
    number = np.arange(len(observations.frame_names)) // _BLOCK % 2
    return [with_corners(observations, np.where((number == i)[:, None, None], observations.xy, np.nan)) for i in (0, 1)]


def with_corners(observations: BoardObservations, xy: np.ndarray) -> BoardObservations:
    """The observations with other corners; a view that saw nothing before gets its camera's usual sigma."""
    seen = np.isfinite(xy).all(-1).any(-1)
    usual = np.nanmedian(observations.sigma_px, axis=1, keepdims=True)
    sigma = np.where(np.isfinite(observations.sigma_px), observations.sigma_px, usual)
    return replace(observations, xy=xy, sigma_px=np.where(seen, sigma, np.nan))


def film_of(observations: BoardObservations) -> SyntheticBoard:
    """The observations as a film that can be spoilt; its truth is not known."""
    offsets = np.zeros(observations.times.shape)
    frames = len(observations.frame_names)
    R, t = np.full((frames, 3, 3), np.nan), np.full((frames, 3), np.nan)
    return SyntheticBoard(observations.xy, observations.times, observations.segments, offsets, R, t, 0.0)


def said(result: CalibrationResult) -> str:
    """What names a culprit: the warnings, and the number of views that were left out."""
    return " | ".join([f"{len(result.excluded)} views left out", *result.warnings])


def ratios(trials: Iterator[tuple[int, BoardObservations]], tests: list[BoardObservations],
           clean: list[HeldOutScore]) -> Row:  # fmt: skip
    """Scores of spoilt training frames, each given with the half that they are of."""
    row = Row()
    for half, spoilt in trials:
        try:
            result = calibrate_rig(spoilt)
        except CalibrationError as error:
            row.refused, row.said = row.refused + 1, row.said or f"refused: {error}"
            continue
        sizes = tests[half].sizes.tolist()
        rig = Rig(tuple(camera.resized((w, h)) for camera, (w, h) in zip(result.rig, sizes, strict=True)))
        found = score_held_out(rig, tests[half])
        row.px.append(found.px / clean[half].px)
        row.mm.append(found.board_mm / clean[half].board_mm)
        row.said = row.said or said(result)
    return row


def spoilt(trains: list[BoardObservations], film: Film, seeds: int) -> Iterator[tuple[int, BoardObservations]]:
    """Both halves with one corruption, for several seeds."""
    for seed in range(seeds):
        for half, train in enumerate(trains):
            camera = seed % len(train.cameras)
            yield half, with_corners(train, film(film_of(train), camera, seed).xy)


def mixed_resolutions(trains: list[BoardObservations], seeds: int) -> Iterator[tuple[int, BoardObservations]]:
    """Both halves with one camera at half the resolution; its lens is scored at the full one."""
    for camera in range(min(seeds, len(trains[0].cameras))):
        for half, train in enumerate(trains):
            sizes = train.sizes.copy()
            sizes[camera] //= 2
            small = with_corners(train, boards.rescale_camera(film_of(train), camera, 0.5).xy)
            yield half, replace(small, sizes=sizes)


def out_of_focus(blurred: list[BoardObservations], seeds: int) -> Iterator[tuple[int, BoardObservations]]:
    """Both halves with one camera's pictures blurred before detection."""
    for observations in blurred[:seeds]:
        yield from enumerate(halves(observations))


def transfer(result: CalibrationResult, test: BoardObservations) -> dict[str, str]:
    """Rms px of the other half's views by PnP with these lenses, against lenses fitted to those views alone."""
    found = {}
    for c, name in enumerate(test.cameras):
        xy = np.where((test.seen[c].sum(-1) >= _FEWEST_CORNERS)[:, None, None], test.xy[c], np.nan)
        size = (int(test.sizes[c, 0]), int(test.sizes[c, 1]))
        points, sigma = test.board.points, test.sigma_px[c]
        alone = fit_camera(points, xy, sigma, size, name=name, worst_focal_sd=np.inf)
        given = fit_camera(points, xy, sigma, size, name=name, known=result.rig[name].lens)
        found[name] = f"{given.rms_px:.3f} px against {alone.rms_px:.3f} ({given.rms_px / alone.rms_px:.2f}x)"
    return found


def refusals(folder: Path, observations: BoardObservations) -> dict[str, str]:
    """What is said of a mirrored video and of wrong boards."""
    film = boards.mirror_camera(film_of(observations), 0, int(observations.sizes[0, 0]))
    found = {"a mirrored video": _refused(lambda: calibrate_rig(with_corners(observations, film.xy)))}
    board = observations.board
    if not isinstance(board, Board):
        return found
    wide = (board.squares[0] + 1, board.squares[1] + 1)
    found["wrong number of squares"] = _refused(lambda: calibrate_rig(observe(folder, replace(board, squares=wide))))
    if board.kind == "charuco":
        other = "DICT_6X6_250" if "6X6" not in str(board.dictionary) else "DICT_4X4_250"
        found["wrong dictionary"] = _refused(lambda: calibrate_rig(observe(folder, replace(board, dictionary=other))))
    return found


def _refused(calibrate: Callable[[], CalibrationResult]) -> str:
    try:
        return f"NOT refused: {said(calibrate())}"
    except CalibrationError as error:
        return f"refused: {error}"


def main() -> None:
    """Run everything, print tables and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", required=True, help="YAML file or name of a shipped board")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    observations = observe(arguments.folder, load_square_board(arguments.board))
    trains = halves(observations)
    tests = trains[::-1]
    results = [calibrate_rig(train) for train in trains]
    clean = [score_held_out(result.rig, test) for result, test in zip(results, tests, strict=True)]
    for score in clean:
        sys.stdout.write(f"clean: {score.px:.3f} px, {score.board_mm:.3f} mm, scale {100 * score.scale:+.3f} %\n")
    lenses = [transfer(result, test) for result, test in zip(results, tests, strict=True)]
    for half, found in enumerate(lenses):
        sys.stdout.writelines(f"lenses of half {half}, {name}: {text}\n" for name, text in found.items())
    trials = {name: spoilt(trains, film, arguments.seeds) for name, film in CORRUPTIONS.items()}
    trials["a camera at half the resolution"] = mixed_resolutions(trains, arguments.seeds)
    trials["a camera out of focus"] = out_of_focus(observe_blurred(arguments.folder, observations), arguments.seeds)
    rows = {name: ratios(trial, tests, clean) for name, trial in trials.items()}
    for name, row in rows.items():
        ratio = [f"{np.mean(r):.2f} (worst {max(r):.2f})" if r else "-" for r in (row.px, row.mm)]
        sys.stdout.write(f"{name:38} px {ratio[0]}, mm {ratio[1]}; refused {row.refused}; {row.said}\n")
    refused = refusals(arguments.folder, observations)
    sys.stdout.writelines(f"{name:38} {text}\n" for name, text in refused.items())
    if arguments.json:
        report = {
            "clean": [asdict(score) for score in clean],
            "lenses": lenses,
            "corruptions": {name: asdict(row) for name, row in rows.items()},
            "refusals": refused,
        }
        arguments.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
