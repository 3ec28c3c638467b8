"""Which vertices of MakeHuman's face are the 70 points of OpenPose's face."""

import numpy as np
from jaxtyping import Bool, Float

from mv3d.synthetic.studio.makehuman import BaseMesh

# Places on the face as seen from the front, in distances of the eyes' centres: (to the person's left, up) from between
# the eyes; the person's right side and the midline. The left side mirrors them.
_CONTOUR = (
    *((-1.06, -0.03), (-1.05, -0.36), (-1.02, -0.70), (-0.96, -1.03), (-0.84, -1.34), (-0.66, -1.60), (-0.46, -1.78)),
    *((-0.24, -1.90), (0.0, -1.95)),
)
_BROW = ((-0.86, 0.24), (-0.74, 0.38), (-0.56, 0.42), (-0.38, 0.38), (-0.20, 0.29))
_RIDGE = ((0.0, 0.0), (0.0, -0.20), (0.0, -0.40), (0.0, -0.60))
_NOSTRILS = ((-0.24, -0.73), (-0.12, -0.77), (0.0, -0.80))
# Around the eye's centre, and around the mouth's in halves of its width and height.
_EYE = ((-0.27, 0.0), (-0.11, 0.11), (0.10, 0.11), (0.24, -0.01), (0.11, -0.08), (-0.10, -0.08))
_OUTER = ((-1.0, 0.0), (-0.62, 0.55), (-0.25, 1.0), (0.0, 0.88), (0.25, 1.0), (0.62, 0.55), (1.0, 0.0))
_LOWER = ((0.62, -0.6), (0.3, -0.95), (0.0, -1.0), (-0.3, -0.95), (-0.62, -0.6))
_INNER = ((-0.9, 0.0), (-0.3, 0.15), (0.0, 0.15), (0.3, 0.15), (0.9, 0.0), (0.3, -0.1), (0.0, -0.1), (-0.3, -0.1))


def face_vertices(
    vertices: Float[np.ndarray, "vertex 3"], mesh: BaseMesh, lips: Bool[np.ndarray, " vertex"]
) -> list[list[int]]:
    """The vertex of each of the 70 points, in OpenPose's order.

    Args:
        vertices: of the mean body (x forward, y left, z up), the eyes last.
        mesh: the base.
        lips: which vertices are lips.
    """
    half = 72  # vertices of an eye
    eyes = vertices[-2 * half :].reshape(2, half, 3)
    left, right = sorted((eye.mean(0) for eye in eyes), key=lambda c: -c[1])
    middle, apart = (left + right) / 2, float(left[1] - right[1])
    mouth = vertices[lips]
    center = (mouth[:, 1:].max(0) + mouth[:, 1:].min(0)) / 2
    extent = (mouth[:, 1:].max(0) - mouth[:, 1:].min(0)) / 2

    def mirrored(points: tuple[tuple[float, float], ...]) -> np.ndarray:
        return np.array(points)[::-1] * [-1, 1]

    on_face = np.concatenate(
        [
            *(_CONTOUR, mirrored(_CONTOUR[:-1])),
            *(_BROW, mirrored(_BROW)),
            *(_RIDGE, _NOSTRILS, mirrored(_NOSTRILS[:-1])),
        ]
    )
    around = [np.array(_EYE) + (right - middle)[1:] / apart, _left_eye() + (left - middle)[1:] / apart]
    places = [middle[1:] + apart * p for p in np.concatenate([on_face, *around])]
    places += [center + extent * p for p in np.array((*_OUTER, *_LOWER, *_INNER))]
    body = vertices[: -2 * half]
    front = (body[:, 0] > middle[0] - 1.4 * apart) & (body[:, 2] > middle[2] - 2.6 * apart)
    found = [[_front_vertex(body, front, place)] for place in places]
    pupils = [
        [int(len(body) + np.argmax(vertices[-2 * half :, 0] * (np.sign(vertices[-2 * half :, 1]) == s)))]
        for s in (-1, 1)
    ]
    return found + pupils


def _left_eye() -> np.ndarray:
    """OpenPose counts both eyes from the image's left: the inner corner comes first on the person's left."""
    return np.array(_EYE)[[3, 2, 1, 0, 5, 4]] * [-1, 1]


def _front_vertex(body: np.ndarray, front: np.ndarray, place: np.ndarray) -> int:
    """The vertex nearest to a place (left, up) as seen from the front; of those within 4 mm the foremost."""
    apart = np.where(front, np.linalg.norm(body[:, 1:] - place, axis=1), np.inf)
    near = apart < apart.min() + 0.004
    return int(np.argmax(np.where(near, body[:, 0] - 2 * apart, -np.inf)))
