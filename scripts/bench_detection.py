"""Find boards in real pictures with mv3d and with OpenCV, in one run: boards, corners, false boards, time.

Sources are given as BOARD=FOLDER_OR_VIDEO, e.g. demo_checkerboard=calibration/intrinsics/cam01. A board counts as false
when its corners are further from a smooth map of a plane than a twentieth of a square (rms).
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from calib.boards import Board, load_square_board
from calib.detection import detect_board
from calib.detection_checks import in_line, map_slopes
from calib.smooth_map import fit_smooth_map
from mv3d.files.video import probe_video, read_frames

_FALSE_SQUARES = 0.05
Found = tuple[np.ndarray, np.ndarray] | None


def main() -> int:
    """Parse the arguments, measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+", help="BOARD=FOLDER_OR_VIDEO")
    parser.add_argument("--step", type=int, default=1, help="look at every n-th picture")
    parser.add_argument("--threads", type=int, default=1, help="threads of OpenCV")
    parser.add_argument("--out", type=Path, default=Path("bench_detection.json"))
    arguments = parser.parse_args()
    cv2.setNumThreads(arguments.threads)
    rows = []
    for source in arguments.sources:
        name, _, path = source.partition("=")
        rows += measure(load_square_board(name), Path(path), arguments.step)
    machine = {"processor": platform.processor() or platform.machine(), "opencv": cv2.__version__}
    arguments.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    sys.stdout.write(
        "| source | finder | pictures | boards | false | corners | ms median | ms mean |\n|" + "---|" * 8 + "\n"
    )
    for row in rows:
        cells = [row[key] for key in ("source", "finder", "pictures", "boards", "false", "corners")]
        times = [f"{row[key]:.1f}" for key in ("ms_median", "ms_mean")]
        sys.stdout.write("| " + " | ".join(map(str, [*cells, *times])) + " |\n")
    return 0


def finders(board: Board) -> dict[str, Callable[[np.ndarray], Found]]:
    """Functions that take a gray image, by name."""

    def ours(image: np.ndarray) -> Found:
        view = detect_board(image, board)
        return None if view is None else (view.ids, view.xy)

    if board.kind == "charuco":
        detector = cv2.aruco.CharucoDetector(board.opencv_charuco())

        def charuco(image: np.ndarray) -> Found:
            xy, ids, _, _ = detector.detectBoard(255 - image if board.inverted else image)
            return None if ids is None else (np.ravel(ids), np.asarray(xy, float).reshape(-1, 2))

        return {"mv3d": ours, "cv2 CharucoDetector": charuco}

    def sectors(flags: int) -> Callable[[np.ndarray], Found]:
        def find(image: np.ndarray) -> Found:
            found, xy = cv2.findChessboardCornersSB(image, board.corners, flags=flags)
            return (np.arange(board.corner_count), np.asarray(xy, float).reshape(-1, 2)) if found else None

        return find

    exhaustive = cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
    return {"mv3d": ours, "cv2 SB": sectors(0), "cv2 SB exhaustive": sectors(exhaustive)}


def is_false(board: Board, found: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether the corners are no plane seen by a camera."""
    ids, xy = found
    plane = np.stack([ids % board.corners[0], ids // board.corners[0]], axis=1).astype(float)
    if len(ids) < 6 or in_line(plane):
        return False
    smooth = fit_smooth_map(plane, xy, 3)
    rms = float(np.sqrt(np.mean(np.sum((smooth(plane) - xy) ** 2, axis=1))))
    return rms > _FALSE_SQUARES * float(np.median(map_slopes(smooth, plane)[2]))


def measure(board: Board, path: Path, step: int) -> list[dict[str, object]]:
    """One row for each finder; all of them look at a picture one after the other, so that load hits them alike."""
    info = probe_video(path)
    functions = finders(board)
    results: dict[str, list[Found]] = {name: [] for name in functions}
    times: dict[str, list[float]] = {name: [] for name in functions}
    for number, (_, image) in enumerate(read_frames(path, info=info)):
        if number % step:
            continue
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if number == 0:
            for function in functions.values():  # compilation and caches
                function(gray)
        for name, function in functions.items():
            start = time.perf_counter()
            results[name].append(function(gray))
            times[name].append(1e3 * (time.perf_counter() - start))
    return [
        {
            "source": path.name,
            "finder": name,
            "pictures": len(results[name]),
            "boards": sum(found is not None and len(found[0]) >= 4 for found in results[name]),
            "false": sum(found is not None and is_false(board, found) for found in results[name]),
            "corners": sum(len(found[0]) for found in results[name] if found is not None),
            "ms_median": float(np.median(times[name])),
            "ms_mean": float(np.mean(times[name])),
        }
        for name in functions
    ]


if __name__ == "__main__":
    sys.exit(main())
