"""Run by the Python that has OpenSim: reads a TRC file and writes what it finds, as JSON; NaN is null."""

import json
import math
import sys
from pathlib import Path

import opensim


def read(path: str) -> dict:
    table = opensim.TimeSeriesTableVec3(path)
    rows = [table.getRowAtIndex(i) for i in range(table.getNumRows())]
    points = [[[row[j][k] for k in range(3)] for j in range(table.getNumColumns())] for row in rows]
    return {
        "labels": list(table.getColumnLabels()),
        "units": table.getTableMetaDataString("Units"),
        "rate": float(table.getTableMetaDataString("DataRate")),
        "times": list(table.getIndependentColumn()),
        "points": [[[None if math.isnan(x) else x for x in p] for p in row] for row in points],
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(read(sys.argv[1])))
