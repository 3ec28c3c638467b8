"""What stands still: a room and boxes in it, found by casting a ray through every sample; exact for any lens."""

import numpy as np
from numba import njit

from mv3d.synthetic.studio.texture_kernels import texture

NOTHING = 1e9
"""Distance of a ray that meets nothing, m."""


@njit(cache=True, nogil=True)
def _box_hit(ox, oy, oz, dx, dy, dz, box, inside):
    """Distance to a box and the face that is met (0 to 5: -x +x -y +y -z +z), or NOTHING.

    A box is (6): lower corner, upper corner, in a frame turned by (cos, sin) about z around its middle: 8 numbers. From
    inside (a room) the far faces are met.
    """
    mx, my = 0.5 * (box[0] + box[3]), 0.5 * (box[1] + box[4])
    c, s = box[6], box[7]
    px, py = c * (ox - mx) + s * (oy - my), -s * (ox - mx) + c * (oy - my)
    qx, qy = c * dx + s * dy, -s * dx + c * dy
    hx, hy = 0.5 * (box[3] - box[0]), 0.5 * (box[4] - box[1])
    near, far, near_face, far_face = -NOTHING, NOTHING, 0, 0
    for axis in range(3):
        if axis == 0:
            o, d, lo, hi = px, qx, -hx, hx
        elif axis == 1:
            o, d, lo, hi = py, qy, -hy, hy
        else:
            o, d, lo, hi = oz, dz, box[2], box[5]
        if abs(d) < 1e-12:
            if o < lo or o > hi:
                return NOTHING, 0
            continue
        a, b = (lo - o) / d, (hi - o) / d
        fa, fb = 2 * axis, 2 * axis + 1
        if a > b:
            a, b, fa, fb = b, a, fb, fa
        if a > near:
            near, near_face = a, fa
        if b < far:
            far, far_face = b, fb
    if near > far:
        return NOTHING, 0
    if inside:
        return (far, far_face) if far > 0.0 else (NOTHING, 0)
    return (near, near_face) if near > 1e-4 else (NOTHING, 0)


@njit(cache=True, nogil=True)
def _first_hit(ox, oy, oz, dx, dy, dz, boxes):
    """Distance, number of the box (0 is the room) and its face."""
    best, face = _box_hit(ox, oy, oz, dx, dy, dz, boxes[0], True)
    which = 0
    for n in range(1, boxes.shape[0]):
        d, f = _box_hit(ox, oy, oz, dx, dy, dz, boxes[n], False)
        if d < best:
            best, which, face = d, n, f
    return best, which, face


@njit(cache=True, nogil=True)
def cast_background(origin, rays, boxes, materials, light, distance, lit, dark):
    """Distance and colours of what stands still.

    Args:
        origin: (3,) of the camera.
        rays: (height, width, 3) unit directions; NaN where the lens shows nothing.
        boxes: (box, 8), the room first; see `_box_hit`.
        materials: (box, 6, 12), one for each face.
        light: see `shading_kernels.shade_person`.
        distance: (height, width), out; NOTHING where nothing is.
        lit, dark: (height, width, 3), linear BGR with the sun and in its shadow, out.
    """
    for y in range(rays.shape[0]):
        for x in range(rays.shape[1]):
            dx, dy, dz = rays[y, x, 0], rays[y, x, 1], rays[y, x, 2]
            distance[y, x] = NOTHING
            lit[y, x, :] = 0.0
            dark[y, x, :] = 0.0
            if np.isnan(dx):
                continue
            t, n, face = _first_hit(origin[0], origin[1], origin[2], dx, dy, dz, boxes)
            if t >= NOTHING:
                continue
            distance[y, x] = t
            px, py, pz = origin[0] + t * dx, origin[1] + t * dy, origin[2] + t * dz
            b, g, r = texture(materials[n, face], px, py, pz)
            out = (1.0 if face % 2 == 1 else -1.0) * (-1.0 if n == 0 else 1.0)
            c, s = boxes[n, 6], boxes[n, 7]
            if face < 2:
                nx, ny, nz = out * c, out * s, 0.0
            elif face < 4:
                nx, ny, nz = -out * s, out * c, 0.0
            else:
                nx, ny, nz = 0.0, 0.0, out
            facing = nx * light[0] + ny * light[1] + nz * light[2]
            sun = 0.0
            if facing > 0.0 and _reached(px, py, pz, nx, ny, nz, light, boxes):
                sun = facing
            up = 0.5 + 0.5 * nz
            for k in range(3):
                albedo = b if k == 0 else g if k == 1 else r
                dark[y, x, k] = albedo * (up * light[6 + k] + (1 - up) * light[9 + k])
                lit[y, x, k] = dark[y, x, k] + albedo * sun * light[3 + k]


@njit(cache=True, nogil=True)
def _reached(px, py, pz, nx, ny, nz, light, boxes):
    """Whether no box stands between a point and the sun; the room has no roof for it."""
    px, py, pz = px + 1e-3 * nx, py + 1e-3 * ny, pz + 1e-3 * nz
    for n in range(1, boxes.shape[0]):
        d, _ = _box_hit(px, py, pz, light[0], light[1], light[2], boxes[n], False)
        if d < NOTHING:
            return False
    return True


@njit(cache=True, nogil=True)
def cast_shadow_map(frame_origin, column, row, along, boxes, texel, depth):
    """What the boxes keep from the sun: distances along the light in a shadow map.

    Args:
        frame_origin: (3,) world place of texel (0, 0) at distance 0.
        column, row, along: (3,) unit directions of the map and of the light.
        boxes: (box, 8), the room first, which casts none.
        texel: m.
        depth: (n, n), out.
    """
    for i in range(depth.shape[0]):
        for j in range(depth.shape[1]):
            ox = frame_origin[0] + texel * (j * column[0] + i * row[0])
            oy = frame_origin[1] + texel * (j * column[1] + i * row[1])
            oz = frame_origin[2] + texel * (j * column[2] + i * row[2])
            best = NOTHING
            for n in range(1, boxes.shape[0]):
                d, _ = _box_hit(ox, oy, oz, along[0], along[1], along[2], boxes[n], False)
                best = min(best, d)
            depth[i, j] = best


@njit(cache=True, nogil=True)
def light_background(distance, ids, rays, origin, lit, dark, static, shadow, frame, color):
    """Colour the samples that show no person: lit, or dark where people keep the sun away.

    Args:
        distance, rays, origin, lit, dark: as `cast_background` made them.
        ids: (height, width) triangle numbers; -1 where what stands still is seen.
        static, shadow: shadow maps without and with people.
        frame: (3, 4) world to shadow map: column, row, distance.
        color: (height, width, 3), out.
    """
    n = shadow.shape[0]
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            if ids[y, x] != -1:
                continue
            t = distance[y, x]
            share = 1.0
            if t < NOTHING and lit[y, x, 1] > dark[y, x, 1]:
                px = origin[0] + t * rays[y, x, 0]
                py = origin[1] + t * rays[y, x, 1]
                pz = origin[2] + t * rays[y, x, 2]
                u = frame[0, 0] * px + frame[0, 1] * py + frame[0, 2] * pz + frame[0, 3]
                v = frame[1, 0] * px + frame[1, 1] * py + frame[1, 2] * pz + frame[1, 3]
                i, j = int(np.floor(v)), int(np.floor(u))
                if 0 <= i < n - 1 and 0 <= j < n - 1:
                    fv, fu = v - i, u - j
                    covered = 0.0
                    for a in range(2):
                        for b in range(2):
                            if shadow[i + a, j + b] < static[i + a, j + b]:
                                d = frame[2, 0] * px + frame[2, 1] * py + frame[2, 2] * pz + frame[2, 3]
                                if shadow[i + a, j + b] < d - 0.02:
                                    covered += (fv if a else 1 - fv) * (fu if b else 1 - fu)
                    share = 1.0 - covered
            for k in range(3):
                color[y, x, k] = dark[y, x, k] + share * (lit[y, x, k] - dark[y, x, k])
