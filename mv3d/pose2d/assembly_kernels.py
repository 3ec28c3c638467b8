"""Scoring of limbs along part affinity fields, and the greedy joining of limbs to people."""

import numpy as np
from numba import njit

# OpenPose weighs the two end points' scores by this when it ranks limbs.
END_WEIGHT = 0.1


@njit(cache=True)
def _sample(field, x, y):
    """Bilinear value at cell coordinates, borders replicated."""
    height, width = field.shape
    x = min(max(x, 0.0), width - 1.0)
    y = min(max(y, 0.0), height - 1.0)
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    top = field[y0, x0] * (1 - fx) + field[y0, x1] * fx
    bottom = field[y1, x0] * (1 - fx) + field[y1, x1] * fx
    return top * (1 - fy) + bottom * fy


@njit(cache=True)
def limb_score(field_x, field_y, ax, ay, bx, by, stride, rules):
    """Mean agreement of the field with the direction from A to B; negative where they are not joined.

    Points in cells; stride: px per cell. rules: (least agreement of a sample, least share of samples above it, score
    of two points that nearly coincide, how near that is in px).
    """
    dx, dy = bx - ax, by - ay
    length = np.sqrt(dx * dx + dy * dy)
    samples = int(min(max(np.round(np.sqrt(5 * stride * max(abs(dx), abs(dy)))), 5), 25))
    total = 0.0
    kept = 0
    if length > 1e-6:
        ux, uy = dx / length, dy / length
        for k in range(samples):
            x, y = ax + dx * k / samples, ay + dy * k / samples
            dot = ux * _sample(field_x, x, y) + uy * _sample(field_y, x, y)
            if dot > rules[0]:
                total += dot
                kept += 1
            elif kept + samples - k - 1 <= rules[1] * samples:
                break
    if kept > rules[1] * samples:
        return total / kept
    if length * stride < rules[3]:
        return rules[2]
    return -1.0


@njit(cache=True)
def score_limbs(xy, score, count, pafs, limbs, channels, stride, rules):
    """Every pair of candidates that its field joins: limb, a, b (ints), PAF score and rank (floats)."""
    capacity = 0
    for i in range(len(limbs)):
        capacity += count[limbs[i, 0]] * count[limbs[i, 1]]
    which = np.empty((capacity, 3), np.int64)
    values = np.empty((capacity, 2), np.float64)
    n = 0
    for i in range(len(limbs)):
        ja, jb = limbs[i]
        field_x, field_y = pafs[channels[i, 0]], pafs[channels[i, 1]]
        for a in range(count[ja]):
            for b in range(count[jb]):
                s = limb_score(
                    *(field_x, field_y, xy[ja, a, 0], xy[ja, a, 1], xy[jb, b, 0], xy[jb, b, 1]),
                    *(stride, rules),
                )
                if s > 0:
                    which[n, 0], which[n, 1], which[n, 2] = i, a, b
                    values[n, 0] = s
                    values[n, 1] = s + END_WEIGHT * (score[ja, a] + score[jb, b])
                    n += 1
    return which[:n], values[:n]


@njit(cache=True)
def _merge(parts, totals, owner, kept, gone):
    """Give all parts of one person to another if they share none; True if done."""
    for j in range(parts.shape[1]):
        if parts[kept, j] >= 0 and parts[gone, j] >= 0:
            return False
    for j in range(parts.shape[1]):
        if parts[gone, j] >= 0:
            parts[kept, j] = parts[gone, j]
            owner[j, parts[gone, j]] = kept
            parts[gone, j] = -1
    for c in range(totals.shape[1]):
        totals[kept, c] += totals[gone, c]
        totals[gone, c] = 0
    return True


@njit(cache=True)
def _extend(parts, totals, owner, score, person, joint, candidate):
    parts[person, joint] = candidate
    owner[joint, candidate] = person
    totals[person, 0] += score[joint, candidate]
    totals[person, 1] += 1


@njit(cache=True)
def join_people(score, count, limbs, which, values):
    """Take the limbs of all kinds in one falling order of rank and grow people from them.

    Returns parts (person, joint) candidate or -1, and totals (person, 3): score sum, parts, pairs. Merged people
    leave empty rows.
    """
    joints = len(count)
    owner = np.full((joints, max(1, count.max())), -1, np.int64)
    capacity = count.sum() // 2 + 1
    parts = np.full((capacity, joints), -1, np.int64)
    totals = np.zeros((capacity, 3), np.float64)
    people = 0
    for k in np.argsort(-values[:, 1], kind="mergesort"):
        a, b = which[k, 1], which[k, 2]
        ja, jb = limbs[which[k, 0]]
        pa, pb = owner[ja, a], owner[jb, b]
        person = -1
        if pa < 0 and pb < 0:
            person = people
            people += 1
            _extend(parts, totals, owner, score, person, ja, a)
            _extend(parts, totals, owner, score, person, jb, b)
        elif pa >= 0 and pb < 0:
            if parts[pa, jb] < 0:
                person = pa
                _extend(parts, totals, owner, score, person, jb, b)
        elif pa < 0:
            if parts[pb, ja] < 0:
                person = pb
                _extend(parts, totals, owner, score, person, ja, a)
        elif pa == pb:
            person = pa
        elif _merge(parts, totals, owner, min(pa, pb), max(pa, pb)):
            person = min(pa, pb)
        if person >= 0:
            totals[person, 0] += values[k, 0]
            totals[person, 2] += 1
    return parts[:people], totals[:people]


@njit(cache=True)
def _free_pairs(which, values, limb, count_a, count_b):
    """The pairs of one limb by falling PAF score, each candidate used once."""
    chosen = np.empty(min(count_a, count_b), np.int64)
    used_a, used_b = np.zeros(count_a, np.bool_), np.zeros(count_b, np.bool_)
    n = 0
    for k in np.argsort(-values[:, 0], kind="mergesort"):
        if which[k, 0] == limb and not used_a[which[k, 1]] and not used_b[which[k, 2]]:
            used_a[which[k, 1]] = used_b[which[k, 2]] = True
            chosen[n] = k
            n += 1
    return chosen[:n]


@njit(cache=True)
def _holder(parts, people, joint, candidate):
    for person in range(people):
        if parts[person, joint] == candidate:
            return person
    return -1


@njit(cache=True)
def join_limb_by_limb(score, count, limbs, redundant, which, values):
    """Take the limbs kind after kind, in the order of the skeleton's table, pairs one to one by PAF score.

    A pair goes to the person who holds its first part and lacks its second; if nobody holds it, the pair is a new
    person. Redundant limbs (shoulder to ear) only fill gaps, from either end. Returns what `join_people` returns.
    """
    joints = len(count)
    owner = np.full((joints, max(1, count.max())), -1, np.int64)
    parts = np.full((len(which) + 1, joints), -1, np.int64)
    totals = np.zeros((len(which) + 1, 3), np.float64)
    people = 0
    for limb in range(len(limbs)):
        ja, jb = limbs[limb]
        for k in _free_pairs(which, values, limb, count[ja], count[jb]):
            a, b = which[k, 1], which[k, 2]
            pa, pb = _holder(parts, people, ja, a), _holder(parts, people, jb, b)
            person = -1
            if pa >= 0 and (parts[pa, jb] < 0 or parts[pa, jb] == b):
                person = pa
                if parts[pa, jb] < 0:
                    _extend(parts, totals, owner, score, pa, jb, b)
            elif redundant[limb] and pa < 0 and pb >= 0 and parts[pb, ja] < 0:
                person = pb
                _extend(parts, totals, owner, score, pb, ja, a)
            elif not redundant[limb] and pa < 0:
                person = people
                people += 1
                _extend(parts, totals, owner, score, person, ja, a)
                _extend(parts, totals, owner, score, person, jb, b)
            if person >= 0:
                totals[person, 0] += values[k, 0]
                totals[person, 2] += 1
    return parts[:people], totals[:people]
