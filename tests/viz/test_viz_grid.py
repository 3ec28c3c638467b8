from dataclasses import replace

import numpy as np
import pytest

from mv3d.viz.colors import VIDEO
from mv3d.viz.grid import arrange, overlay_frames


def _images(scenario, frames: int):
    return [[np.full((c.size[1], c.size[0], 3), 90, np.uint8) for c in scenario.rig] for _ in range(frames)]


def _views(scenario):
    return [scenario.poses2d[name] for name in scenario.rig.names]


def _tiles_overlap(layout) -> bool:
    t = layout.tiles
    return any(
        a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
        for i, a in enumerate(t)
        for b in t[:i]
    )


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (640, 640)])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 9, 16])
def test_tiles_keep_their_shape_and_fit_a_screen(size: tuple[int, int], count: int) -> None:
    layout = arrange([size] * count, 640)
    assert not _tiles_overlap(layout)
    assert layout.size[0] <= 1920
    assert layout.size[1] <= 1080
    assert layout.size[0] % 2 == 0
    assert layout.size[1] % 2 == 0
    for x, y, w, h in layout.tiles:
        assert x >= 0
        assert x + w <= layout.size[0]
        assert y + h <= layout.footer_top
        assert w / h == pytest.approx(size[0] / size[1], abs=1 / h)  # rounded to a whole pixel


def test_portrait_views_stand_side_by_side() -> None:
    layout = arrange([(1080, 1920)] * 4, 640)
    assert {y for _, y, _, _ in layout.tiles} == {layout.tiles[0][1]}
    assert {h for _, _, _, h in layout.tiles} == {640}


def test_views_of_different_shape_share_a_grid() -> None:
    layout = arrange([(1080, 1920), (1920, 1080), (640, 480)], 480)
    assert not _tiles_overlap(layout)
    assert len({h for _, _, _, h in layout.tiles}) == 1


def test_frames_show_people_in_every_tile(scenario) -> None:
    pictures = list(overlay_frames(_images(scenario, 3), scenario.rig, _views(scenario), scenario.poses3d))
    layout = arrange([c.size for c in scenario.rig], 640)
    assert len(pictures) == 3
    for picture in pictures:
        assert picture.shape == (layout.size[1], layout.size[0], 3)
        for x, y, w, h in layout.tiles:
            tile = picture[y : y + h, x : x + w]
            for rgb in (VIDEO.left, VIDEO.right):
                assert (tile == rgb[::-1]).all(-1).sum() > 50
    assert (pictures[0] != pictures[2]).any()


def test_a_detection_lands_at_its_scaled_pixel(scenario_of) -> None:
    scenario = scenario_of(cameras=1, size=(960, 1280))
    camera, poses = scenario.rig[0], _views(scenario)[0]
    (picture,) = overlay_frames(_images(scenario, 1), scenario.rig, [poses], None)
    x, y, w, h = arrange([camera.size], 640).tiles[0]
    knee = poses.xy[0, 0, poses.skeleton.index("LKnee")]
    at = np.rint((knee + 0.5) * [w / 960, h / 1280] - 0.5).astype(int)
    assert picture[y + at[1], x + at[0]].tolist() == list(VIDEO.left[::-1])


def test_projection_and_detection_share_the_pixels_of_an_image_cut_at_its_right(scenario_of) -> None:
    scenario = scenario_of(cameras=1)
    width, height = scenario.rig[0].size
    cut = [[np.full((height, width - 100, 3), 90, np.uint8)]]
    nobody = replace(_views(scenario)[0], xy=_views(scenario)[0].xy * np.nan)
    (seen,) = overlay_frames(cut, scenario.rig, _views(scenario), None)
    (projected,) = overlay_frames(cut, scenario.rig, [nobody], scenario.poses3d)

    def middle(picture: np.ndarray) -> float:
        body = (picture[:640] == VIDEO.middle).all(-1)
        return float(np.argwhere(body)[:, 1].mean())

    # The bystander is not drawn in the middle's colour; detections are off by 1 px of noise. A scale that took the
    # whole width for the cut one would shift the body by tens of px.
    assert middle(projected) == pytest.approx(middle(seen), abs=3)


def test_crops_missing_images_and_short_views(scenario) -> None:
    images = _images(scenario, 4)
    images[2][1] = None
    views = _views(scenario)
    views[0] = replace(
        views[0],
        **{name: getattr(views[0], name)[:2] for name in ("xy", "score", "timestamps")},
    )
    crops = np.full((4, 4, 4, 2), np.nan)
    crops[:, 3] = [[20, 20], [200, 20], [200, 300], [20, 300]]
    plain = list(overlay_frames(_images(scenario, 4), scenario.rig, _views(scenario), scenario.poses3d))
    pictures = list(overlay_frames(images, scenario.rig, views, scenario.poses3d, crops))
    layout = arrange([c.size for c in scenario.rig], 640)

    def differs(frame: int, view: int) -> bool:
        x, y, w, h = layout.tiles[view]
        return bool((pictures[frame][y : y + h, x : x + w] != plain[frame][y : y + h, x : x + w]).any())

    assert [differs(f, 3) for f in range(4)] == [True] * 4  # the crop
    assert [differs(f, 1) for f in range(4)] == [False, False, True, False]  # the missing image
    assert [differs(f, 0) for f in range(4)] == [False, False, True, True]  # the view that ended


def test_more_images_than_frames_of_poses(scenario_of) -> None:
    scenario = scenario_of(frames=2)
    pictures = list(overlay_frames(_images(scenario, 4), scenario.rig, _views(scenario), scenario.poses3d))
    assert len(pictures) == 4


def test_wrong_number_of_views_is_refused(scenario) -> None:
    with pytest.raises(ValueError, match="3 views of keypoints"):
        next(overlay_frames(_images(scenario, 1), scenario.rig, _views(scenario)[:3]))
    with pytest.raises(ValueError, match="2 images"):
        next(overlay_frames([_images(scenario, 1)[0][:2]], scenario.rig, _views(scenario)))
