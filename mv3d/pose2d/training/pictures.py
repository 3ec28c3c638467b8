"""Which picture is seen at which step, and making it: the same for a seed, whenever a run was taken up again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mv3d.files.image_folder import read_image
from mv3d.pose2d.models import Model
from mv3d.pose2d.training.annotations import Annotated, read_annotated, with_joints_between
from mv3d.pose2d.training.augmentation import draw_placement, placed_joints, placed_picture, recoloured
from mv3d.pose2d.training.config import TrainingConfig
from mv3d.pose2d.training.feature_window import Window, draw_window
from mv3d.pose2d.training.targets import make_targets

# Batches that are made ahead of their step.
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """One picture to make: which image of which folder, and the variant that seeds its augmentation and its window."""

    source: int
    image: int
    variant: int


class Pictures:
    """The training set with its augmentation."""

    def __init__(self, config: TrainingConfig, model: Model, learnt: Bool[np.ndarray, " joint"]) -> None:
        """Read all annotations.

        Args:
            config: of the run.
            model: the network.
            learnt: which joints are learnt; windows lie around them.

        Raises:
            FormatError: annotations that cannot be used.
        """
        self._config, self._model, self._learnt = config, model, learnt
        self.sources = [with_joints_between(read_annotated(s, model.skeleton), model.skeleton) for s in config.data]
        mix = np.array(config.mix or (1.0,) * len(config.data), float)
        self._shares = mix / mix.sum()

    def chosen(self, step: int) -> list[Choice]:
        """What is seen at a step."""
        rng = np.random.default_rng((self._config.seed, step))
        choices = []
        for _ in range(self._config.optimisation.batch):
            source = int(rng.choice(len(self.sources), p=self._shares))
            image = int(rng.integers(len(self.sources[source])))
            variants = self._config.cached_variants * self._config.windows or 2**31
            choices.append(Choice(source, image, int(rng.integers(variants))))
        return choices

    def annotated(self, choice: Choice) -> Annotated:
        """The image of a choice."""
        return self.sources[choice.source][choice.image]

    def picture(self, choice: Choice) -> UInt8[np.ndarray, "size size 3"]:
        """The network's input."""
        rng, image = self._rng(choice), self.annotated(choice)
        placed = draw_placement(image, self._config.size, self._config.augmentation, rng)
        picture = placed_picture(read_image(image.path), placed, self._config.size)
        return recoloured(picture, self._config.augmentation, rng)

    def targets(self, choice: Choice) -> tuple[Float[np.ndarray, "fields h w"], Float[np.ndarray, "fields h w"]]:
        """What the network should answer, and the weights; see `make_targets`."""
        rng, image = self._rng(choice), self.annotated(choice)
        placed = draw_placement(image, self._config.size, self._config.augmentation, rng)
        targets, weights = make_targets(image, placed, self._config.size, self._model)
        window = self.window(choice)
        return window.of(targets), window.of(weights) * window.trusted()

    def window(self, choice: Choice) -> Window:
        """The cells of a choice that are learnt from."""
        side, cells = self._config.cached_window, self._config.size // self._model.stride
        if not side:
            return Window(0, 0, cells, cells)
        image = self.annotated(choice)
        placed = draw_placement(image, self._config.size, self._config.augmentation, self._rng(choice))
        xy = placed_joints(image.xy, placed, self._config.size, self._model.skeleton)[:, self._learnt].reshape(-1, 2)
        around = xy[np.isfinite(xy[:, 0])] / self._model.stride
        seed = (self._config.seed, 2, choice.source, choice.image, choice.variant)
        return draw_window(around, min(side, cells), cells, np.random.default_rng(seed))

    def _rng(self, choice: Choice) -> np.random.Generator:
        variant = choice.variant // self._config.windows
        return np.random.default_rng((self._config.seed, 1, choice.source, choice.image, variant))

    def batches(self, first: int, last: int, *, with_pictures: bool = True) -> Iterator[tuple[list[Choice], tuple]]:
        """Choices and (pictures, targets, weights) of the steps from `first` to before `last`, made ahead in threads.

        Pictures are empty if they are not wanted.
        """
        with ThreadPoolExecutor(self._config.threads) as pool:
            waiting = []
            for step in range(first, last + _AHEAD):
                if step < last:
                    choices = self.chosen(step)
                    waiting.append((choices, [pool.submit(self._made, c, with_pictures) for c in choices]))
                if step >= first + _AHEAD or step >= last:
                    if not waiting:
                        return
                    choices, jobs = waiting.pop(0)
                    yield choices, tuple(np.stack(part) for part in zip(*(job.result() for job in jobs), strict=True))

    def _made(self, choice: Choice, with_picture: bool) -> Sequence[np.ndarray]:
        picture = self.picture(choice) if with_picture else np.zeros(0, np.uint8)
        return picture, *self.targets(choice)
