"""Contact sheets of the studio for docs/studio.md, written by `python scripts/studio_sheets.py docs/images`."""

import sys

import cv2
import numpy as np

from calib.boards import load_board, shipped_boards
from mv3d.data.camera import Camera
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.studio import board_picture
from mv3d.synthetic.motions import MOTIONS
from mv3d.synthetic.rigs import camera_ring
from mv3d.synthetic.studio.actors import random_actor
from mv3d.synthetic.studio.film import Film
from mv3d.synthetic.studio.human import load_human
from mv3d.synthetic.studio.rooms import random_room
from mv3d.synthetic.studio.scene import Panel, Scene
from mv3d.synthetic.studio.view import View

_SMOOTH = Film(samples=3)


def _camera(size: tuple[int, int], focal: float, radius: float, fisheye: bool = False) -> Camera:
    return camera_ring(1, radius=radius, size=size, focal=focal, distortion=np.zeros(4), fisheye=fisheye)[0]


def _shot(camera: Camera, seed: int, motion: str, t: float, film: Film = _SMOOTH, boxes: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    room = random_room(rng, half=5.0, occluders=boxes, cameras=camera.center[None])
    scene = Scene(*room, (random_actor(load_human(), rng, motion, t + 1.0),))
    return View(camera, scene, film).shoot(t, seed).image


def _board(name: str, seed: int) -> np.ndarray:
    camera, rng = _camera((240, 180), 200.0, 2.5), np.random.default_rng(seed)
    picture, (width, height) = board_picture(load_board(name))
    R = camera.R.T @ rotation_from_vector(rng.uniform(-0.5, 0.5, 3))
    away = camera.center + camera.R[2] * 200.0 * max(width, height) / 150 - R @ [width / 2, height / 2, 0]
    panel = Panel(picture, (width, height), lambda t: (np.repeat(R[None], len(t), 0), np.repeat(away[None], len(t), 0)))
    return (
        View(camera, Scene(*random_room(rng, half=5.0, occluders=0), panels=(panel,)), _SMOOTH).shoot(0.0, seed).image
    )


def _write(name: str, tiles: list[np.ndarray], columns: int) -> None:
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    cv2.imwrite(f"{sys.argv[1]}/studio_{name}.jpg", np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 78])


if __name__ == "__main__":
    upright, wide = _camera((120, 200), 230.0, 3.0), _camera((240, 180), 170.0, 3.2)
    blurred, dim = Film(samples=3, exposure_s=0.05, blur_samples=11), Film(gain=0.3, read_noise=0.02, jpeg=30)
    _write("people", [_shot(upright, seed, "wave", 0.3) for seed in range(16)], 8)
    _write("motions", [_shot(upright, 3, m, t) for m in ("walk", *MOTIONS) for t in (0.4, 1.1)], 8)
    _write("boards", [_board(b, n) for n, b in enumerate(sorted(shipped_boards())) if b != "two_sided_a4"], 4)
    looks = ((wide, _SMOOTH), (_camera((240, 180), 80.0, 1.6, fisheye=True), _SMOOTH), (wide, blurred), (wide, dim))
    _write("rooms", [_shot(c, 20 + k, "box", 0.9, f, 3) for k in range(3) for c, f in looks], 4)
