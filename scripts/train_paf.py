"""Train a PAF network on images with keypoints; see docs/training.md."""

import sys

import tyro

from mv3d.errors import Mv3dError
from mv3d.pose2d.training.config import TrainingConfig
from mv3d.pose2d.training.run import train


def main() -> int:
    """Parse the settings and train."""
    config = tyro.cli(TrainingConfig, description=__doc__)
    try:
        weights = train(config)
    except Mv3dError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{weights}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
