import numpy as np

from mv3d.viz.text import Box, draw_label, label_box, place_labels, shortened


def test_label_is_drawn_inside_its_plate() -> None:
    image = np.full((80, 300, 3), 200, np.uint8)
    box = draw_label(image, "cam01", (20, 10), 14.0, (255, 255, 255), (0, 0, 0))
    changed = np.argwhere((image != 200).any(-1))
    assert changed.min(0).tolist() == [box.top, box.left]
    assert changed.max(0).tolist() == [box.top + box.height - 1, box.left + box.width - 1]
    assert image.max() == 255  # the text itself


def test_label_wider_than_the_image_shrinks_to_fit() -> None:
    image = np.full((60, 120, 3), 200, np.uint8)
    box = draw_label(image, "a name that is far too long for this", (0, 0), 20.0, (255, 255, 255), (0, 0, 0))
    assert box.width <= 120


def test_long_and_broken_names_become_one_short_line() -> None:
    text = shortened("a" * 500 + "\n" + "b" * 500)
    assert len(text) == 40
    assert "\n" not in text
    assert text.startswith("aaa")
    assert text.endswith("bbb")


def test_placed_labels_do_not_overlap_and_stay_inside() -> None:
    size = (400, 300)
    taken = [Box(0, 0, 200, 30)]
    wanted = [label_box(f"camera {k}", (10 + 3 * k, 20 + 2 * k), 12.0) for k in range(6)]
    wanted.append(label_box("outside", (390, 295), 12.0))
    placed = place_labels(wanted, taken, size)
    boxes = [*taken, *placed]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(b.left >= 0 and b.left + b.width <= 400 and b.top >= 0 and b.top + b.height <= 300 for b in placed)


def test_a_label_with_room_is_not_moved() -> None:
    box = Box(50, 60, 40, 20)
    assert place_labels([box], [Box(200, 200, 10, 10)], (400, 300)) == [box]
