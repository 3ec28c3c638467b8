"""numba kernels of forward kinematics: the frames of a tree of joints from their rotations."""

from numba import njit


@njit(cache=True)
def forward(parents, offsets, rotations, translation, R, x):
    """Fill R (frame, joint, 3, 3) world_from_joint and x (frame, joint, 3); parents come before their children."""
    for f in range(rotations.shape[0]):
        R[f, 0] = rotations[f, 0]
        x[f, 0] = translation[f]
        for j in range(1, rotations.shape[1]):
            p = parents[j]
            for a in range(3):
                total = x[f, p, a]
                for b in range(3):
                    total += R[f, p, a, b] * offsets[j, b]
                    R[f, j, a, b] = (
                        R[f, p, a, 0] * rotations[f, j, 0, b]
                        + R[f, p, a, 1] * rotations[f, j, 1, b]
                        + R[f, p, a, 2] * rotations[f, j, 2, b]
                    )
                x[f, j, a] = total
