"""A training run from its settings to weights that `--model FILE` takes."""

import json
from dataclasses import asdict
from pathlib import Path

import torch

from mv3d.files.progress import Progress, silent
from mv3d.files.writing import write_text
from mv3d.pose2d.device import choose_device
from mv3d.pose2d.estimator import PoseEstimator
from mv3d.pose2d.models import Model, model_named
from mv3d.pose2d.networks.mobilenet_thin import MobilenetThin
from mv3d.pose2d.training.annotations import read_annotated, with_joints_between
from mv3d.pose2d.training.checkpoint import load_checkpoint, save_checkpoint
from mv3d.pose2d.training.config import TrainingConfig
from mv3d.pose2d.training.feature_cache import FeatureCache, cached_features, trunk_features
from mv3d.pose2d.training.judging import judge
from mv3d.pose2d.training.optimiser import RunningMean, clip, learning_rate, make_optimiser, mixed
from mv3d.pose2d.training.pictures import Pictures
from mv3d.pose2d.training.records import Records
from mv3d.pose2d.training.trained_network import judged_fields, learnt_joints, losses_of_stages, save_weights, start


def train(config: TrainingConfig, progress: Progress = silent) -> Path:
    """Train a network, going on from the checkpoint in `config.out` if there is one.

    Returns:
        The weights: a safetensors file.

    Raises:
        ConfigError: a model or device that cannot be used.
        FormatError: annotations, weights or a checkpoint that cannot be used.
    """
    model, device = model_named(config.model), choose_device(config.device)
    torch.manual_seed(config.seed)
    network = start(model, config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    pictures = Pictures(config, model, learnt_joints(network, model, config.train))
    config.out.mkdir(parents=True, exist_ok=True)
    write_text(config.out / "settings.json", json.dumps(asdict(config), indent=1, default=str) + "\n")
    cache = cached_features(config, network, pictures, device, progress) if config.cached_variants else None
    run = _Run(config, model, network, device)
    first = run.resume()
    batches = pictures.batches(first, config.optimisation.steps, with_pictures=cache is None)
    records = Records(config.out, first)
    steps = range(first, config.optimisation.steps)
    for step, (choices, arrays) in progress(zip(steps, batches, strict=True), len(steps), "training"):
        features = run.features(arrays[0]) if cache is None else _cached(cache, choices, device)
        figures = run.step(step, features, *arrays[1:])
        done = step + 1
        judging = done % config.judge_every == 0 or done == config.optimisation.steps
        if judging:
            run.save(done)
            figures |= run.judged()
        if judging or done % config.log_every == 0:
            records.add(done, figures)
    records.close()
    return run.weights


def _cached(cache: FeatureCache, choices: list, device: torch.device) -> torch.Tensor:
    return cache.of(choices).to(device)


class _Run:
    """The network with all that changes from step to step."""

    def __init__(self, config: TrainingConfig, model: Model, network: MobilenetThin, device: torch.device) -> None:
        self._config, self._model, self._network, self._device = config, model, network, device
        self._optimiser = make_optimiser(network, config.optimisation)
        self._mean = RunningMean(network, config.optimisation.ema)
        self._scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")  # type: ignore[attr-defined]
        self._judged = judged_fields(network, config.train).to(device)
        self._checkpoint = config.out / "checkpoint.pt"
        self.weights = config.out / f"{model.name}.safetensors"
        skeleton = model.skeleton
        found = read_annotated(config.validation, skeleton)[: config.validation_images] if config.validation else []
        self._validation = with_joints_between(found, skeleton)

    def resume(self) -> int:
        """The step to begin with."""
        if not self._checkpoint.is_file():
            return 0
        return load_checkpoint(self._checkpoint, self._network, self._optimiser, self._mean, self._scaler)

    def features(self, images) -> torch.Tensor | None:
        """What the trunk says of the pictures, with gradients where it is trained."""
        if self._config.train == "all":
            x = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float()
            with mixed(self._config.precision, self._device):
                return self._network.features(x)
        return trunk_features(self._network, images, self._device)

    def step(self, step: int, features, targets, weights) -> dict[str, float]:
        """One step of the optimiser; its figures."""
        config = self._config.optimisation
        rate = learning_rate(step, config)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        targets, weights = (torch.from_numpy(a).to(self._device) for a in (targets, weights))
        with mixed(self._config.precision, self._device):
            losses = losses_of_stages(self._network, features, targets, weights * self._judged)
        loss = torch.stack(losses).sum()
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimiser)
        clip(self._network.parameters(), config.clip)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._mean.update(self._network, step)
        names = ("loss", "loss_first_stage", "loss_last_stage")
        values = (float(value.detach()) for value in (loss, losses[0], losses[-1]))
        return {"learning_rate": rate, **dict(zip(names, values, strict=True))}

    def save(self, step: int) -> None:
        """Checkpoint and weights."""
        save_checkpoint(self._checkpoint, step, self._network, self._optimiser, self._mean, self._scaler)
        facts = {"trained_steps": str(step), "trained_on": ", ".join(Path(d).name for d in self._config.data)}
        save_weights(self.weights, self._model, self._mean.whole_state(self._network), facts)

    def judged(self) -> dict[str, float]:
        """AP and PCK of the saved weights; nothing without validation images."""
        if not self._validation:
            return {}
        detector = PoseEstimator(str(self.weights), device=str(self._device))
        figures = judge(detector, self._validation)
        write_text(self._config.out / "judgement.json", json.dumps(figures, indent=1) + "\n")
        return {name: value for name, value in figures.items() if name in ("AP", "PCK")}
