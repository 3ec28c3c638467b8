import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from mv3d.data.rig import Rig
from mv3d.errors import SessionError
from mv3d.viz.report import write_report


class _Page(HTMLParser):
    """The text, tags and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.odd_attributes: list[str] = []
        self.pieces: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.odd_attributes += [name for name, _ in attrs if name.startswith("on")]
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]

    def handle_data(self, data) -> None:
        self.pieces.append(data.strip())

    @property
    def text(self) -> str:
        return "\n".join(piece for piece in self.pieces if piece)


@pytest.fixture(autouse=True)
def _quick_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not drawn, which takes a second a report, but for the tests about the pictures."""
    if "pictures" not in request.node.name:
        png = cv2.imencode(".png", np.zeros((2, 2, 3), np.uint8))[1].tobytes()
        monkeypatch.setattr("mv3d.viz.plots.to_png", lambda _: png)


def _write(path: Path, scenario, **changes):
    parts = {
        "title": "walk 1",
        "rig": scenario.rig,
        "poses2d": scenario.poses2d,
        "poses3d": scenario.poses3d,
        "quality": scenario.quality,
        "pictures": [("All cameras, frame 0", np.full((40, 60, 3), (10, 200, 30), np.uint8))],
        "facts": {"mv3d": "0.1.0", "run time": "12 s"},
        "warnings": ["cam03 is 3 frames short"],
    }
    verdict = write_report(path, **{**parts, **changes})
    return verdict, _Page(path.read_text(encoding="utf-8"))


def test_the_report_holds_verdict_figures_and_facts(tmp_path: Path, scenario) -> None:
    quality = replace(
        scenario.quality,
        left_out_px=np.array([11.25, 3.5, 3.75, 4.0]),
        shift_px=np.array([[7.0, -3], [0, 0], [0, 0], [0, 0]]),
    )
    verdict, page = _write(tmp_path / "report.html", scenario, quality=quality)
    assert verdict.headline in page.text
    assert all(reason.text in page.text for reason in verdict.reasons)
    for wanted in ("walk 1", "cam03 is 3 frames short", "0.1.0", "12 s", "All cameras, frame 0"):
        assert wanted in page.text
    rows = page.text.split("\n")
    at = max(k for k, piece in enumerate(rows) if piece == "cam01")
    assert rows[at + 1 : at + 3] == ["11.2", "1.8"]
    assert "+7, -3" in rows[at : at + 8]
    for name in (*scenario.poses3d.skeleton.keypoints, "LHip to LKnee", "43.0 cm"):
        assert name in rows
    wrist = rows.index("RWrist")
    # Missing in 2 of 24 frames.
    assert rows[wrist + 1 : wrist + 4] == ["91.7 %", "0.0 %", "8.3 %"]


def test_the_report_needs_nothing_else(tmp_path: Path, scenario) -> None:
    _, page = _write(tmp_path / "report.html", scenario)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert len(page.addresses) == 9  # eight plots and the picture
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|url\(|@import", re.sub(r"base64,[^\"]+", "", source))


def test_pictures_come_through_and_wide_ones_are_shrunk(tmp_path: Path, scenario) -> None:
    wide = np.full((200, 4000, 3), (10, 200, 30), np.uint8)
    _, page = _write(tmp_path / "report.html", scenario, pictures=[("wide", wide)])
    png = base64.b64decode(page.addresses[0].removeprefix("data:image/png;base64,"))
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (80, 1600, 3)
    assert (image == (10, 200, 30)).all()


def test_photographs_are_kept_small(tmp_path: Path, scenario) -> None:
    rng = np.random.default_rng(0)
    photo = cv2.resize(rng.integers(0, 255, (90, 160, 3), dtype=np.uint8), (1600, 900), interpolation=cv2.INTER_CUBIC)
    _, page = _write(tmp_path / "report.html", scenario, pictures=[("photo", photo)])
    kind, _, content = page.addresses[0].partition(";base64,")
    assert kind == "data:image/jpeg"
    image = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    # At this quality a smooth picture is off by a few levels.
    assert np.abs(image.astype(int) - photo).mean() < 5
    assert len(content) < len(cv2.imencode(".png", photo)[1])


def test_hostile_names_stay_text(tmp_path: Path, scenario) -> None:
    evil = "<script>alert(1)</script>"
    # Brackets cannot be in a camera's name, which names files; what follows can.
    names = ("&lt;b&gt;", "cam02", "{{ 7 + 7 }}", "&amp; 'onload=alert(1)'")
    keypoints = ("<img src=x onerror=alert(1)>", *scenario.quality.keypoints[1:])
    cameras = tuple(replace(c, name=n) for c, n in zip(scenario.rig, names, strict=True))
    quality = replace(scenario.quality, cameras=names, keypoints=keypoints)
    _, page = _write(
        tmp_path / "report.html",
        scenario,
        title=evil,
        rig=Rig(cameras),
        quality=quality,
        poses2d={name: scenario.poses2d[c.name] for name, c in zip(names, scenario.rig, strict=True)},
        pictures=[(evil + '" onload="alert(2)', np.zeros((4, 4, 3), np.uint8))],
        facts={evil: evil},
        warnings=[evil],
    )
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.tags.count("img") == 9
    assert page.text.count(evil) >= 5
    assert all(name in page.text for name in (*names, keypoints[0]))
    assert not page.odd_attributes


def test_unknown_figures_show_as_a_dash(tmp_path: Path, scenario) -> None:
    nan = np.full(4, np.nan)
    quality = replace(
        scenario.quality,
        left_out_px=nan,
        left_out_without_shift_px=nan,
        shift_px=np.full((4, 2), np.nan),
        reprojection_px=np.full(scenario.quality.reprojection_px.shape, np.nan),
        bone_cv=np.full(10, np.nan),
        bone_length=np.full(scenario.quality.bone_length.shape, np.nan),
        jitter_mm=float("nan"),
    )
    _, page = _write(tmp_path / "report.html", scenario, quality=quality)
    assert "nan" not in page.text.lower().replace("finance", "")
    assert "–" in page.text


def test_one_camera_and_one_frame(tmp_path: Path, scenario_of) -> None:
    small = scenario_of(frames=1, cameras=1)
    _, page = _write(tmp_path / "report.html", small, pictures=[], facts={}, warnings=[])
    assert "Noted on the way" not in page.text
    assert "cam01" in page.text


def test_keypoints_without_their_2d_are_fine(tmp_path: Path, scenario) -> None:
    _, page = _write(tmp_path / "report.html", scenario, poses2d={})
    assert "cam01" in page.text


def test_a_failed_write_leaves_the_older_report(tmp_path: Path, scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("older")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(SessionError, match="disk is full"):
        _write(path, scenario)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_the_moments_that_stand_out_are_above_the_pictures(tmp_path: Path, scenario_of) -> None:
    scenario = scenario_of(frames=60)
    errors = scenario.quality.reprojection_px.copy()
    errors[30:38, 1] += 40.0
    _, page = _write(tmp_path / "r.html", scenario, quality=replace(scenario.quality, reprojection_px=errors))
    rows = page.text.split("\n")
    at = rows.index("Moments to look at")
    assert rows.index("Cameras") < at < rows.index("Pictures") < rows.index("Plots") < rows.index("Joints")
    assert "cam02" in rows[at:]
    assert any(re.fullmatch(r"0:01(\.\d)?, frame 3\d", row) for row in rows[at:])


def test_the_uncertainty_of_every_joint_is_in_its_table(tmp_path: Path, scenario) -> None:
    _, page = _write(tmp_path / "r.html", scenario)
    rows = page.text.split("\n")
    nose = rows.index("Nose", rows.index("Joints"))
    # The covariances of the scenario are those of 10 mm.
    assert rows[nose + 6] == "10.0"


def test_the_report_follows_the_readers_choice_of_dark_and_light(tmp_path: Path, scenario) -> None:
    _write(tmp_path / "r.html", scenario)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
