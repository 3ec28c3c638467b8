"""The log of a run: a table, and TensorBoard's files where it is installed."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_COLUMNS: tuple[str, ...] = ("step", "learning_rate", "loss", "loss_first_stage", "loss_last_stage", "AP", "PCK")


class Records:
    """Lines of figures by step in log.csv; a run that goes on appends, without the lines after its checkpoint."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self._path = folder / "log.csv"
        kept = [row for row in _rows(self._path) if int(row["step"]) <= first_step] if first_step else []
        with self._path.open("w", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(kept)
        self._board = _tensorboard(folder)

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Write the figures of a step."""
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, _COLUMNS).writerow({"step": step, **{k: f"{v:.6g}" for k, v in figures.items()}})
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """No more lines."""
        if self._board is not None:
            self._board.close()


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
