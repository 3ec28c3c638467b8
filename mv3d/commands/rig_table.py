"""What `mv3d rig compare` prints."""

import numpy as np

from mv3d.rig_comparison import CameraDifference, Comparison


def comparison_lines(found: Comparison) -> list[str]:
    """A table, what is missing, the scale, and the verdict: a line each."""
    with_sd = any(camera.sd is not None for camera in found.cameras)
    width = max(6, *(len(camera.name) for camera in found.cameras))
    titles = ("turn, deg", "move, mm", "focal, %", "centre, px")
    head = [f"{'camera':<{width}}", *(f"{title:>10}{'    (sd)' if with_sd else ''}" for title in titles)]
    lines = ["  ".join([*head, f"{'picture, px':>11}"]), *(_row(camera, width) for camera in found.cameras)]
    missing = [f"{', '.join(names)} only in the {which}"
               for which, names in (("first", found.only_first), ("second", found.only_second)) if names]  # fmt: skip
    lines += [f"not compared: {'; '.join(missing)}"] if missing else []
    lines += ["no standard deviations: lenses of other models or images of other shapes"] if found.models_differ else []
    taken = "was multiplied by it" if found.rescaled else "was left as it is"
    return [*lines, f"scale: the second fits best times {found.scale:.5f}; it {taken}", _verdict(found)]


def _row(camera: CameraDifference, width: int) -> str:
    values = (f"{np.rad2deg(camera.turn):.3f}", f"{1e3 * camera.move:.2f}",
              f"{100 * camera.focal:+.3f}", f"{camera.centre_px:.2f}")  # fmt: skip
    sds = (None,) * 4 if camera.sd is None else (camera.sd.turn, camera.sd.move, camera.sd.focal, camera.sd.centre)
    cells = [
        f"{value.replace('+nan', '-').replace('nan', '-'):>10}" + ("" if sd is None else f"{f'({sd:.1f})':>8}")
        for value, sd in zip(values, sds, strict=True)
    ]
    seen = f"{camera.seen_px:.2f}".replace("nan", "-")
    return "  ".join([f"{camera.name:<{width}}", *cells, f"{seen:>11}"])


def _verdict(found: Comparison) -> str:
    worst, count = found.worst, len(found.cameras)
    if found.untold or (worst is not None and count == 2 and worst.sd is None):
        return "they differ, but with two cameras left to compare it is not told which was moved"
    if worst is None:
        return "alike"
    return f"{worst.name} differs most" + (
        f"; also different: {', '.join(c.name for c in found.cameras if c.named and c is not worst)}"
        if sum(c.named for c in found.cameras) > 1 else ""
    )  # fmt: skip
