"""How near a filter without a future can come to the whole sequence, by theory, for the walk and noise of a trial.

    python scripts/bench_causal_bound.py                    # clean-noise, 4 and 8 cameras, seed 0, 1000 frames

A coordinate of a joint is a stationary process in white noise whose variance is that of a frame alone. Ratios of
standard deviations, mean over joints: of the Kalman filter under the white jerk that was learnt of the trial over its
smoother, without and with a lag (Riccati equation); and for a prior that knows the spectrum of the joint's true motion,
taken from its periodogram in segments of so many frames: r (1 - exp(-mean log(1 + S / r))) over mean S / (1 + S / r),
the least error of any linear filter and smoother (Yovits and Jackson, 1955; Wiener, 1949). Bones, blunders and what
joints know of each other are left out of both sides.
"""

import argparse
import warnings

import numpy as np
from bench_reconstruct_measures import use_one_thread
from scipy.signal import welch

from mv3d.reconstruct.noise import measure_noise
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.sequence import learn_model
from mv3d.reconstruct.sequence_fit import SequenceConfig
from mv3d.synthetic.families import FAMILIES, Trial, make_trial

_LAGS, _SEGMENTS = (0, 5, 20), (60, 120, 240)
# Steps after which the filter has settled, and frames of the future that are all there is to know.
_SETTLED, _FUTURE = 600, 300


def main() -> None:
    """One row for every number of cameras."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", default="clean-noise", choices=list(FAMILIES))
    parser.add_argument("--views", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    use_one_thread()
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # medians over joints that are never seen
    lags, segments = (
        " | ".join(f"{name} {n}" for n in values) for name, values in (("lag", _LAGS), ("spectrum", _SEGMENTS))
    )
    print(f"| views | {lags} | {segments} |\n|{'---|' * (1 + len(_LAGS) + len(_SEGMENTS))}")
    for views in arguments.views:
        ratios = bounds(make_trial(FAMILIES[arguments.family], views, arguments.frames, arguments.seed))
        print(f"| {views} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |", flush=True)


def bounds(trial: Trial) -> np.ndarray:
    """Ratios over the smoother: of the filter by lag, then of the best filter that knows the spectrum, by segment."""
    observations, triangulation = observe(trial.rig, trial.xy, trial.score), TriangulationConfig()
    noise = measure_noise(observations, triangulation.noise)
    per_frame = triangulate_frames(observations, triangulation, noise)
    model = learn_model(observations, per_frame, trial.skeleton, trial.timestamps, SequenceConfig())
    if model is None:
        raise SystemExit("nothing could be learnt of this trial")
    dt, rows = float(np.diff(trial.timestamps).mean()), []
    for joint, strength in zip(model.joints, model.strength, strict=True):
        r = float(np.nanmedian(np.einsum("fii->f", per_frame.covariance[:, joint]))) / 3
        spectra = [_spectrum_ratio(trial.truth[:, joint], r, frames) for frames in _SEGMENTS]
        rows.append([*_jerk_ratios(1 / strength, r, dt), *spectra])
    return np.mean(rows, axis=0)


def _jerk_ratios(density: float, r: float, dt: float) -> list[float]:
    F = np.array([[1, dt, dt * dt / 2], [0, 1, dt], [0, 0, 1]])
    Q = [[dt**5 / 20, dt**4 / 8, dt**3 / 6], [dt**4 / 8, dt**3 / 3, dt**2 / 2], [dt**3 / 6, dt**2 / 2, dt]]
    P = np.diag([1.0, 9.0, 900.0])
    for _ in range(_SETTLED):
        predicted = F @ P @ F.T + density * np.array(Q)
        P = predicted - np.outer(predicted[:, 0], predicted[0]) / (predicted[0, 0] + r)
    predicted = F @ P @ F.T + density * np.array(Q)
    gain, smoothed, variances = P @ F.T @ np.linalg.inv(predicted), P, [P[0, 0]]
    for _ in range(_FUTURE):
        smoothed = P + gain @ (smoothed - predicted) @ gain.T
        variances.append(smoothed[0, 0])
    return [float(np.sqrt(variances[lag] / variances[-1])) for lag in _LAGS]


def _spectrum_ratio(truth: np.ndarray, r: float, frames: int) -> float:
    _, density = welch(truth, nperseg=frames, axis=0, return_onesided=False, detrend="linear")
    to_noise = density.mean(1) / r
    return float(np.sqrt((1 - np.exp(-np.log1p(to_noise).mean())) / (to_noise / (1 + to_noise)).mean()))


if __name__ == "__main__":
    main()
