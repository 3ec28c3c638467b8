"""What of the scene is shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Display:
    """Layers of the scene; switched by keys, flags and the browser's boxes.

    Attributes:
        trails: where hands and feet have just been.
        trail_s: length of the trails, s.
        ellipsoids: 95 % uncertainty of each joint, magnified by this; 0 for none. The limbs are thin then.
        ghost: the other reconstruction, where one was given.
        images: the videos on the cameras' image planes, where there are videos.
        detections: 2D keypoints and projected skeleton drawn on the images.
        floor: grid, shadow and world axes.
        cameras: the cameras' pyramids and names.
        camera: look through this camera of the rig; None for the free eye.
        help: list of the keys.
    """

    trails: bool = False
    trail_s: float = 1.0
    ellipsoids: float = 0.0
    ghost: bool = True
    images: bool = False
    detections: bool = True
    floor: bool = True
    cameras: bool = True
    camera: str | None = None
    help: bool = False

    def __post_init__(self) -> None:
        if not self.trail_s > 0:
            raise ValueError(f"trail_s is {self.trail_s}, wanted a positive number")
        if not self.ellipsoids >= 0:
            raise ValueError(f"ellipsoids is {self.ellipsoids}, wanted 0 or more")
