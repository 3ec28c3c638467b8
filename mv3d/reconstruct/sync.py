"""Synchronisation from motion alone: time offset and clock drift of every camera, found together with the points.

A camera whose stamp t is the world at t + o sees x(t + o), so its residual against the others grows with the image
velocity: r = v (o + d (t - middle)) + constant. The constant, one for each joint and view, is free, because a rig that
does not fit the video and a detector that marks a joint beside its centre would otherwise pass for a lag where a person
moves one way. A scan over whole lags comes first (`mv3d.reconstruct.sync_scan`); then the frames are matched anew in
every round and the equations solved with the points eliminated (`mv3d.reconstruct.view_equations`).
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mv3d.data.diagnosis import Sync
from mv3d.data.rig import Rig
from mv3d.reconstruct.keypoints import Keypoints
from mv3d.reconstruct.sync_refinement import (
    Clocks,
    SyncConfig,
    SyncProblem,
    left_out_scatter,
    make_problem,
    refine_clocks,
)
from mv3d.reconstruct.sync_scan import Scan, scan_offsets
from mv3d.reconstruct.tracks import tracks_of

# A track of fewer frames tells nothing of time.
_FEWEST_FRAMES = 10
# The scan starts a refinement of its own where it moves a camera by more than this many frames.
_MOVED_FRAMES = 1.5


def estimate_sync(rig: Rig, keypoints: Keypoints, joints: tuple[int, ...], config: SyncConfig) -> Sync | None:
    """Time offsets of all cameras; the world's clock is one that most cameras agree on.

    Args:
        rig: cameras in view order.
        keypoints: the performer on the timeline of the cameras' own stamps.
        joints: that move and are marked well: the limbs.
        config: settings.

    Returns:
        None with fewer than three views, or where a view hardly sees the performer or they share hardly any time.
    """
    tracks = tracks_of(keypoints)
    if len(rig) < 3 or not joints or min(len(t.times) for t in tracks) < _FEWEST_FRAMES:
        return None
    scan = scan_offsets(rig, tracks, list(joints), config.max_offset_s, config.scan_samples)
    if scan is None:
        return None
    starts = [np.zeros(len(rig))]
    if np.ptp(scan.offsets) > _MOVED_FRAMES * min(track.interval for track in tracks):
        starts.append(scan.offsets - np.median(scan.offsets))
    best: tuple[float, SyncProblem, Clocks] | None = None
    for start in starts:
        problem = make_problem(rig, tracks, list(joints), start, config)
        if problem is None:
            continue
        clocks = refine_clocks(problem, start)
        error = float(np.nansum(left_out_scatter(problem, clocks)))
        if best is None or error < best[0]:
            best = error, problem, clocks
    return _decided(best[1], best[2], scan) if best is not None else None


def _decided(problem: SyncProblem, clocks: Clocks, scan: Scan) -> Sync:
    """Fix the world's clock, keep what is significant, and apply it if the left-out error falls."""
    config, interval = problem.config, problem.sampling.interval
    offsets, drift = _from_majority(clocks.clock[:, 0]), _from_majority(clocks.clock[:, 1])
    sd = clocks.sd
    least = config.least_offset_frames * interval
    # A drift counts by what it does to the offset at the ends of the recording.
    drifting = np.abs(drift) > np.maximum(config.significance * sd[:, 1], 2 * least / problem.duration)
    late = drifting | (np.abs(offsets) > np.maximum(config.significance * sd[:, 0], least))
    kept = np.stack([np.where(late, offsets, 0.0), np.where(drifting, drift, 0.0)], axis=1)
    before = left_out_scatter(problem, refine_clocks(problem, np.zeros(len(problem.rig)), free=False))
    after = left_out_scatter(problem, replace(clocks, clock=kept)) if late.any() else before
    applied = bool(late.any() and np.nansum(after) < (1 - config.least_gain) * np.nansum(before))
    return Sync(
        time_offsets=kept[:, 0] if applied else offsets,
        time_offsets_sd=sd[:, 0],
        drift=kept[:, 1] if applied else drift,
        drift_sd=sd[:, 1],
        applied=applied,
        middle=problem.middle,
        interval=interval,
        left_out_px=before,
        left_out_synced_px=after,
        lags=scan.lags,
        lag_cost=scan.cost,
    )


def _from_majority(values: Float[np.ndarray, " view"]) -> Float[np.ndarray, " view"]:
    """Values from their lower median, so that one camera of three that is off is the one that is named."""
    return values - np.sort(values)[(len(values) - 1) // 2]
