"""The diagnosis in sentences: clocks, cameras and detections, each with its numbers."""

import re

import numpy as np

from mv3d.data.diagnosis import Correction, Diagnosis, RigCheck, Span, Sync
from mv3d.data.quality import Quality, mean_known
from mv3d.viz.reason import Reason

# A correction that lowers the left-out error by less is not worth a word.
_NOTABLE_GAIN = 0.1
# Stretches named in the verdict; the JSON has all.
_MOST_NAMED = 3
_OF_KIND = {
    "image-shift": "an image shift of each camera",
    "extrinsics": "another pose of each camera",
    "focal": "another focal length of each camera",
}


def diagnosis_reasons(diagnosis: Diagnosis, quality: Quality) -> list[Reason]:
    """All findings; each says what it is a matter of: sync, calibration or detection."""
    sync, check = diagnosis.sync, diagnosis.rig_check
    return [
        *(_sync_reasons(sync, quality.cameras) if sync is not None else []),
        *(_rig_reasons(check) if check is not None else []),
        *_span_reasons(diagnosis),
    ]


def clock(seconds: float) -> str:
    """A moment as minutes and seconds: 0:42, or 0:42.3 where the tenths matter."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    tenths = round(10 * seconds)
    return f"{sign}{tenths // 600}:{tenths % 600 // 10:02d}" + (f".{tenths % 10}" if tenths % 10 else "")


def _sync_reasons(sync: Sync, cameras: tuple[str, ...]) -> list[Reason]:
    frames, sd = sync.time_offsets / sync.interval, sync.time_offsets_sd / sync.interval
    if not sync.applied:
        text = (
            f"The cameras are in sync: the movement tells of no offset beyond {np.abs(frames).max():.1f} frames "
            f"(+- {sd.max():.1f}), and none that would lower the left-out error."
        )
        return [Reason("good", text, "sync")]
    reasons = []
    for v, name in enumerate(cameras):
        if frames[v] == 0 and sync.drift[v] == 0:
            continue
        way = "late" if frames[v] < 0 else "early"
        text = (
            f"{name} is {abs(frames[v]):.1f} frames {way} ({1e3 * sync.time_offsets[v]:+.0f} +- "
            f"{1e3 * sync.time_offsets_sd[v]:.1f} ms); this was corrected."
        )
        if sync.drift[v]:
            text += f" Its clock drifts by {1e3 * 60 * sync.drift[v]:+.1f} ms a minute; this too."
        reasons.append(Reason("good", text, "sync", name))
    before, after = mean_known(sync.left_out_px), mean_known(sync.left_out_synced_px)
    text = f"The time offsets bring the left-out error, constant errors taken off, from {before:.1f} to {after:.1f} px."
    return [*reasons, Reason("good", text, "sync")]


def _rig_reasons(check: RigCheck) -> list[Reason]:
    reasons = [_move_reason(check, k) for k in range(len(check.moves))]
    by_kind = {correction.kind: correction for correction in check.corrections}
    before = mean_known(check.left_out_px)
    if check.refined is not None:
        after = mean_known(by_kind[check.refined].left_out_px) if check.refined in by_kind else float("nan")
        text = (
            f"The rig was corrected by {_OF_KIND[check.refined]}, as asked: left-out error from {before:.1f} to about "
            f"{after:.1f} px. cameras.yaml was not changed; the corrected rig is cameras.refined.yaml."
        )
        return [*reasons, Reason("good", text, "calibration")]
    best = check.corrections[0] if check.corrections else None
    if best is None or not mean_known(best.left_out_px) < (1 - _NOTABLE_GAIN) * before:
        return [
            *reasons,
            Reason("good", "The rig fits the videos: no correction of it would gain much.", "calibration"),
        ]
    gains = ", ".join(
        f"{_OF_KIND[c.kind]} to {mean_known(c.left_out_px):.1f} px (--refine-rig {c.kind})" for c in check.corrections
    )
    text = f"The rig does not fit these videos. Left-out error of {before:.1f} px: {gains}. {_largest(check, best)}"
    return [*reasons, Reason("usable", text, "calibration")]


def _largest(check: RigCheck, correction: Correction) -> str:
    """The camera that the best correction changes most, against what is known of it."""
    sizes = [_size(correction, v) for v in range(len(check.cameras))]
    most = int(np.argmax([size for size, _ in sizes]))
    return f"It would change {check.cameras[most]} most: {sizes[most][1]}."


def _size(correction: Correction, view: int) -> tuple[float, str]:
    change = correction.change[view]
    if correction.kind == "extrinsics":
        turn, moved = np.rad2deg(np.linalg.norm(change[:3])), 1e3 * np.linalg.norm(change[3:])
        # A degree and 20 mm move an image about alike, for a person at a metre and a half to five metres.
        return float(turn + moved / 50), f"{moved:.0f} mm and {turn:.1f} degrees"
    if correction.kind == "focal":
        share = float(np.expm1(change[0]))
        return abs(share), f"focal length {share:+.1%}"
    return float(np.linalg.norm(change)), f"{change[0]:+.0f}, {change[1]:+.0f} px"


def _move_reason(check: RigCheck, number: int) -> Reason:
    move = check.moves[number]
    name = check.cameras[move.view]
    text = (
        f"{name} moved {1e3 * move.translation:.0f} mm and turned {np.rad2deg(move.rotation):.1f} degrees at "
        f"{clock(move.time)} (+- {move.time_sd:.2f} s): its image of the performer jumped by "
        f"{np.linalg.norm(move.shift_px):.0f} px, which explains {move.gain:.0%} of its constant error. "
        "Calibrate again from there, or cut the recording in two."
    )
    return Reason("look at this", text, "calibration", name)


def _span_reasons(diagnosis: Diagnosis) -> list[Reason]:
    reasons = [
        Reason(
            "usable",
            f"{words(span.what)} seen alike by fewer than two cameras for {span.duration:.1f} s from "
            f"{clock(span.start)}.",
            "detection",
        )
        for span in diagnosis.unseen[:_MOST_NAMED]
    ]
    by_camera: dict[tuple[str, str], list[Span]] = {}
    for span in diagnosis.swapped:
        by_camera.setdefault((span.what, span.camera or ""), []).append(span)
    for (what, camera), spans in by_camera.items():
        total, longest = sum(span.duration for span in spans), max(spans, key=lambda span: span.duration)
        text = (
            f"Left and right {what} swapped in {camera} for {total:.1f} s in all, longest from {clock(longest.start)}."
        )
        reasons.append(Reason("usable", text, "detection", camera))
    return reasons


def words(joint: str) -> str:
    """A joint's name as words: RWrist is the right wrist."""
    named = re.fullmatch(r"([RL])([A-Z][a-z].*)", joint)
    side = {"R": "Right ", "L": "Left "}[named[1]] if named else ""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", named[2] if named else joint)
    return side + text.lower() if side else text.capitalize()
