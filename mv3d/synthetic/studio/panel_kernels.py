"""A flat picture that moves through the scene: a calibration board, a poster; exact for any lens and shutter."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def draw_panel(rays, origin, poses, factor, size, picture, box, light, panel_id, depth, ids, color):
    """Cast a ray through every sample of a box of the image at a panel.

    Args:
        rays: (height, width, 3) unit directions of the samples; origin: (3,) of the camera.
        poses: (row, 3, 4) world from panel for each line of the image: a rolling shutter sees another pose in each.
        factor: samples per pixel, each way.
        size: (2,) m of the panel, x to the right and y down from its upper left corner at (0, 0, 0); z into the board.
        picture: (rows, columns, 3) float32, linear BGR, over the whole panel.
        box: x0, x1, y0, y1 of the samples to try.
        light: see `shading_kernels.shade_person`.
        panel_id: written to `ids`.
        depth, ids, color: buffers, in and out.
    """
    rows, columns = picture.shape[0], picture.shape[1]
    for y in range(box[2], box[3]):
        p = poses[y // factor]
        nx, ny, nz = p[0, 2], p[1, 2], p[2, 2]
        wx, wy, wz = p[0, 3] - origin[0], p[1, 3] - origin[1], p[2, 3] - origin[2]
        ahead = nx * wx + ny * wy + nz * wz
        # The printed side faces against z; the back is blank.
        facing = abs(nx * light[0] + ny * light[1] + nz * light[2])
        front = ahead > 0.0
        lit_side = (nx * light[0] + ny * light[1] + nz * light[2] < 0.0) == front
        sun = facing if lit_side else 0.0
        for x in range(box[0], box[1]):
            dx, dy, dz = rays[y, x, 0], rays[y, x, 1], rays[y, x, 2]
            across = nx * dx + ny * dy + nz * dz
            if not abs(across) > 1e-9:
                continue
            t = ahead / across
            if not (0.0 < t < depth[y, x]):
                continue
            qx, qy, qz = t * dx - wx, t * dy - wy, t * dz - wz
            u = p[0, 0] * qx + p[1, 0] * qy + p[2, 0] * qz
            v = p[0, 1] * qx + p[1, 1] * qy + p[2, 1] * qz
            if u < 0.0 or v < 0.0 or u >= size[0] or v >= size[1]:
                continue
            depth[y, x] = t
            ids[y, x] = panel_id
            fu, fv = u / size[0] * columns - 0.5, v / size[1] * rows - 0.5
            j, i = int(np.floor(fu)), int(np.floor(fv))
            a, b = fu - j, fv - i
            j0, j1 = min(max(j, 0), columns - 1), min(max(j + 1, 0), columns - 1)
            i0, i1 = min(max(i, 0), rows - 1), min(max(i + 1, 0), rows - 1)
            for c in range(3):
                albedo = 0.6
                if front:
                    top = (1 - a) * picture[i0, j0, c] + a * picture[i0, j1, c]
                    albedo = (1 - b) * top + b * ((1 - a) * picture[i1, j0, c] + a * picture[i1, j1, c])
                color[y, x, c] = albedo * (sun * light[3 + c] + 0.5 * (light[6 + c] + light[9 + c]))
