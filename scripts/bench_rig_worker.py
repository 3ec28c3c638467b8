"""Calibrate a rig from given corners with another program, in its own interpreter (for bench_rig.py).

python bench_rig_worker.py aniposelib|OpenCV QUESTION.npz ANSWER.npz
"""

import importlib
import sys
import time

import numpy as np

# Corners that cv2.calibrateMultiview is given: views that show fewer make it diverge.
_SHARE_OF_BOARD = 1.0


def run_opencv(xy, points, sizes):
    """cv2.calibrateMultiview on views of the whole board, five distortion coefficients."""
    cv2 = importlib.import_module("cv2")
    whole = np.isfinite(xy).all(-1).mean(-1) >= _SHARE_OF_BOARD
    frames = np.flatnonzero(whole.sum(0) > 1)
    plane = [points.astype(np.float32)] * len(frames)
    images = [[np.nan_to_num(xy[c, f]).astype(np.float32) for f in frames] for c in range(len(xy))]
    mask = whole[:, frames].astype(np.uint8)
    models = np.full(len(xy), cv2.CALIB_MODEL_PINHOLE, np.uint8)
    sizes = [tuple(map(int, size)) for size in sizes]
    _, Ks, dists, Rs, ts = cv2.calibrateMultiview(plane, images, sizes, mask, models, None, None, None, None)
    Rs = [R if np.shape(R) == (3, 3) else cv2.Rodrigues(np.asarray(R))[0] for R in Rs]
    return np.array(Ks), [np.ravel(d) for d in dists], np.array(Rs), np.array(ts).reshape(-1, 3)


def run_aniposelib(xy, points, sizes, squares, square):
    """CameraGroup.calibrate_rows with its defaults, from the same corners."""
    cv2 = importlib.import_module("cv2")
    boards, library = (importlib.import_module(f"aniposelib.{name}") for name in ("boards", "cameras"))
    board = boards.CharucoBoard(int(squares[0]), int(squares[1]), float(square), 0.75 * float(square))
    group = library.CameraGroup.from_names([f"c{i}" for i in range(len(xy))])
    rows = []
    for camera, size, corners in zip(group.cameras, sizes, xy, strict=True):
        camera.set_size(tuple(map(int, size)))
        seen = np.isfinite(corners).all(-1)
        rows.append(
            [
                {"framenum": (0, int(f)), "corners": corners[f, seen[f], None], "ids": np.flatnonzero(seen[f])[:, None]}
                for f in np.flatnonzero(seen.sum(1) >= 6)
            ]
        )
    group.calibrate_rows(rows, board, verbose=False)
    Ks = np.array([camera.get_camera_matrix() for camera in group.cameras])
    Rs = np.array([cv2.Rodrigues(camera.get_rotation())[0] for camera in group.cameras])
    ts = np.array([camera.get_translation() for camera in group.cameras]).reshape(-1, 3)
    return Ks, [np.ravel(camera.get_distortions()) for camera in group.cameras], Rs, ts


def main():
    """Read the question, run, write the answer."""
    method, question, answer = sys.argv[1:]
    with np.load(question, allow_pickle=False) as given:
        arguments = [given["xy"], given["points"], given["sizes"]]
        board = [given["squares"], given["square"]]
    start = time.perf_counter()
    found = run_opencv(*arguments) if method == "OpenCV" else run_aniposelib(*arguments, *board)
    seconds = time.perf_counter() - start
    longest = max(len(d) for d in found[1])
    dist = np.array([np.pad(d, (0, longest - len(d))) for d in found[1]])
    np.savez(answer, K=found[0], dist=dist, R=found[2], t=found[3], seconds=seconds)


if __name__ == "__main__":
    main()
