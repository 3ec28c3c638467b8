"""verdict.json: the verdict and the figures behind it, for programs. The schema is in docs/formats.md."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.data.diagnosis import Diagnosis, RigCheck, Span, Sync
from mv3d.data.quality import Quality, mean_known
from mv3d.data.rig import Rig
from mv3d.files.writing import write_text
from mv3d.viz.verdict import judge

FORMAT_VERSION = 1


def write_verdict_json(path: str | Path, rig: Rig, quality: Quality, diagnosis: Diagnosis) -> None:
    """Write the verdict; it appears whole or not at all. What is not known is null.

    Raises:
        SessionError: the file cannot be written.
    """
    write_text(path, json.dumps(verdict_document(rig, quality, diagnosis), indent=1, ensure_ascii=False) + "\n")


def verdict_document(rig: Rig, quality: Quality, diagnosis: Diagnosis) -> dict[str, Any]:
    """The verdict as plain values."""
    verdict = judge(rig, quality, diagnosis)
    document = {
        "format_version": FORMAT_VERSION,
        "level": verdict.level,
        "headline": verdict.headline,
        "reasons": [asdict(reason) for reason in verdict.reasons],
        "cameras": list(quality.cameras),
        "figures": {
            "left_out_px": quality.left_out_px,
            "shift_px": quality.shift_px,
            "left_out_without_shift_px": quality.left_out_without_shift_px,
            "limb_coverage": quality.limb_coverage,
            "bone_cv": mean_known(quality.bone_cv),
            "bone_cv_per_frame": mean_known(quality.bone_cv_per_frame),
            "jitter_mm": quality.jitter_mm,
        },
        "sync": None if diagnosis.sync is None else _sync(diagnosis.sync),
        "rig": None if diagnosis.rig_check is None else _rig(diagnosis.rig_check),
        "unseen": [_span(span, "joint") for span in diagnosis.unseen],
        "swapped": [_span(span, "limbs") for span in diagnosis.swapped],
    }
    return _plain(document)


def _sync(sync: Sync) -> dict[str, Any]:
    return {
        "applied": sync.applied,
        "time_offsets": sync.time_offsets,
        "time_offsets_sd": sync.time_offsets_sd,
        "time_offsets_at": sync.middle,
        "drift": sync.drift,
        "drift_sd": sync.drift_sd,
        "frame_interval": sync.interval,
        "left_out_px": sync.left_out_px,
        "left_out_synced_px": sync.left_out_synced_px,
    }


def _rig(check: RigCheck) -> dict[str, Any]:
    return {
        "refined": check.refined,
        "left_out_px": check.left_out_px,
        "corrections": [asdict(correction) for correction in check.corrections],
        "moves": [
            {
                "camera": check.cameras[move.view],
                "time": move.time,
                "time_sd": move.time_sd,
                "translation": move.translation,
                "rotation": move.rotation,
                "shift_px": move.shift_px,
                "gain": move.gain,
            }
            for move in check.moves
        ],
    }


def _span(span: Span, what: str) -> dict[str, Any]:
    camera = {} if span.camera is None else {"camera": span.camera}
    return {what: span.what, **camera, "start": span.start, "duration": span.duration}


def _plain(value: Any) -> Any:
    """The value with lists for arrays and null for what is not finite, which JSON has no number for."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
