"""aniposelib 0.8 on an exchange file of bench_peers.py; run by it in aniposelib's own environment.

    python bench_peers_aniposelib.py triangulated|optimised TRIAL.npz FOUND.npz

"optimised" is the library's own chain: the linear triangulation, then optim_points with the lengths of all bones as
constraints and its default settings. Views that saw nothing are NaN, as the library wants them.
"""

import importlib
import sys
import time

import numpy as np


def main(method: str, question: str, answer: str) -> None:
    """Triangulate, optimise when asked, write xyz and process time."""
    library = importlib.import_module("aniposelib.cameras")
    cv2 = importlib.import_module("cv2")
    with np.load(question, allow_pickle=False) as trial:
        group = library.CameraGroup(
            [
                library.Camera(matrix=K, dist=np.zeros(5), size=size, rvec=cv2.Rodrigues(R)[0], tvec=t, name=str(v))
                for v, (K, R, t, size) in enumerate(zip(trial["K"], trial["R"], trial["t"], trial["size"], strict=True))
            ]
        )
        xy, score, bones = trial["xy"], trial["score"], trial["bones"]
    xy[score <= 0] = np.nan
    _, frames, joints, _ = xy.shape
    group.triangulate(xy[:, :2].reshape(len(xy), -1, 2))  # numba compiles before the clock starts
    start = time.process_time()
    xyz = group.triangulate(xy.reshape(len(xy), -1, 2)).reshape(frames, joints, 3)
    if method == "optimised":
        xyz = group.optim_points(xy, xyz, constraints=bones.tolist())
    np.savez(answer, xyz=xyz, seconds=time.process_time() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
