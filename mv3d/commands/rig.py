"""Commands around rigs."""

from pathlib import Path

import tyro

from mv3d.commands.arguments import Lines, check_free
from mv3d.errors import ConfigError


def convert(
    source: tyro.conf.Positional[Path],
    target: tyro.conf.Positional[Path],
    format: str = "auto",
    to: str = "auto",
    units: str | None = None,
    size: str | None = None,
    overwrite: bool = False,
) -> Lines:
    """Read a rig in one format and write it in another.

    Formats: mv3d, qualisys (read only), aniposelib, pose2sim, freemocap, caliscope, openpose, opencv, easymocap,
    kalibr, colmap; docs/formats.md says what each one holds.

    Args:
        source: rig to read: a file, or a folder of OpenPose, OpenCV, EasyMocap or COLMAP.
        target: rig to write: cameras.yaml, a .toml for aniposelib, a folder (no suffix) for OpenPose; any with --to.
        format: format of the source, if its name and content do not tell.
        to: format of the target, if its name does not tell.
        units: unit of length in the source, if not the format's own: m, cm, mm, in, ft.
        size: WIDTHxHEIGHT of the images, for sources that do not say (OpenPose, EasyMocap, OpenCV).
        overwrite: replace the target if it is already there.
    """
    from mv3d.files.rigs import read_rig, write_rig

    rig = read_rig(source, format, units, _size(size))
    check_free(target, overwrite)
    write_rig(rig, target, to)
    return [f"{target}: {len(rig)} cameras ({', '.join(rig.names)})"]


def align(
    source: tyro.conf.Positional[Path],
    board: str | None = None,
    floor: Path | None = None,
    board_thickness_mm: float = 0.0,
    points: Path | None = None,
    person: Path | None = None,
    markers: Path | None = None,
    marker_pictures: Path | None = None,
    measured: tyro.conf.UseAppendAction[tuple[tuple[str, str, float], ...]] = (),
    rescale: bool = False,
    out: Path | None = None,
    overwrite: bool = False,
) -> Lines:
    """Put the world of a rig on the floor: z up, the floor at z = 0; and hold its scale against a tape.

    By a board that lies on the floor (--board and --floor), by points that were marked in the pictures (--points), or
    by a person's feet (--person). Single markers tell the scale by their sizes and distances, and the world by their
    places (--markers and --marker-pictures). Skeletons that were made before keep the old world: run the session again.

    Args:
        source: session folder, or a rig in any format.
        board: with --floor: YAML file of the board, or name of a shipped one.
        floor: pictures of the board on the floor, <camera>.jpg, <camera>/ or <camera>.mp4; one camera is enough.
        board_thickness_mm: of the board on the floor.
        points: YAML file of points marked in two cameras or more, with their places, or Pose2Sim's Image_points.json;
            see docs/formats.md.
        person: pose3d.npz, made with this rig, of a person who walks through the room.
        markers: with --marker-pictures: YAML file of single markers in the room; see docs/formats.md. With --floor too,
            they tell the scale and the board the world.
        marker_pictures: of the markers, <camera>.jpg, <camera>/ or <camera>.mp4, two cameras or more.
        measured: distance in metres of two cameras or points, e.g. cam01 cam02 2.53; given once per distance.
        rescale: multiply all lengths to fit --measured or --markers, or else --points.
        out: rig to write; the session's cameras.yaml if left out, and the one before stays as cameras.unaligned.yaml.
        overwrite: replace the target if it is already there.
    """
    from mv3d import rig_alignment
    from mv3d.files.rigs import read_rig

    rig = read_rig(_rig_of(source))
    _check_pair(("--floor", floor), ("--board", board))
    _check_pair(("--markers", markers), ("--marker-pictures", marker_pictures))
    given = {"--floor": floor, "--points": points, "--person": person, "--markers": markers}
    _check_ways([name for name, value in given.items() if value], bool(measured))
    lines: list[str] = []
    scale = 1.0
    if markers and marker_pictures:
        from mv3d.scene_markers import align_to_markers

        done = align_to_markers(rig, markers, marker_pictures, rescale=rescale)
        rig, lines, scale = done.rig, list(done.lines), done.change.scale
    for done in rig_alignment.aligned(
        rig,
        board=(board, floor, 1e-3 * board_thickness_mm) if board and floor else None,
        scene=points,
        person=person,
        measured=[rig_alignment.Measured(*m) for m in measured],
        rescale=rescale and not markers,
    ):
        rig, lines, scale = done.rig, [*lines, *done.lines], scale * done.change.scale
    return [*lines, rig_alignment.save_aligned(rig, source, out, overwrite, scale)]


def _check_ways(ways: list[str], measured: bool) -> None:
    """Refuse options that name two worlds or two scales, or none."""
    if len(ways) > 1 and not (ways == ["--floor", "--points"] and measured) and ways != ["--floor", "--markers"]:
        raise ConfigError(f"{' and '.join(ways)} are different worlds; give one of them")
    if "--markers" in ways and measured:
        raise ConfigError("--markers and --measured are different scales; give one of them")
    if not ways and not measured:
        raise ConfigError("nothing to align to; give --board and --floor, --points, --person, --markers or --measured")


def _check_pair(first: tuple[str, object], second: tuple[str, object]) -> None:
    """Refuse one of two options without the other."""
    (a, a_value), (b, b_value) = first, second
    if (a_value is None) != (b_value is None):
        raise ConfigError(f"{a} needs {b}, and {b} needs {a}")


def place(
    lenses: tyro.conf.Positional[Path],
    points: Path,
    out: Path,
    overwrite: bool = False,
) -> Lines:
    """Find where cameras stand from marked points of the scene whose places are known, without a board.

    Lenses must be known; each camera is placed by its own marks, four or more. The world is that of the places.

    Args:
        lenses: lenses.yaml, or a rig in any format whose poses are left aside.
        points: YAML file of marked points, or Pose2Sim's Image_points.json; see docs/formats.md.
        out: rig to write.
        overwrite: replace the target if it is already there.
    """
    from mv3d.files.rigs import write_rig
    from mv3d.rig_placing import known_lenses, place_cameras

    check_free(out, overwrite)
    done = place_cameras(known_lenses(lenses), points)
    write_rig(done.rig, out)
    return [*done.lines, f"{out}: {len(done.rig)} cameras"]


def compare(
    first: tyro.conf.Positional[Path],
    second: tyro.conf.Positional[Path],
    free_scale: bool = False,
) -> Lines:
    """Compare two calibrations of one rig, camera by camera; cameras are matched by name, the worlds may differ.

    The second is laid onto the first. Where mv3d calibrated both, differences are told in standard deviations too.

    Args:
        first: session folder, or a rig in any format.
        second: the other calibration of the same cameras.
        free_scale: let the second grow or shrink to fit; lengths are kept otherwise, and the scale is only told.
    """
    from mv3d.commands.rig_table import comparison_lines
    from mv3d.files.rigs import read_rig
    from mv3d.rig_comparison import compared, known_of

    paths = [_rig_of(path) for path in (first, second)]
    rigs = [read_rig(path) for path in paths]
    known = [known_of(path, rig) for path, rig in zip(paths, rigs, strict=True)]
    sd = (known[0], known[1]) if known[0] is not None and known[1] is not None else None
    return comparison_lines(compared(rigs[0], rigs[1], sd, free_scale=free_scale))


def _rig_of(source: Path) -> Path:
    session_rig = source / "cameras.yaml"
    return session_rig if session_rig.is_file() else source


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"--size {text}: WIDTHxHEIGHT is wanted, e.g. 1920x1080")
    return int(width), int(height)
