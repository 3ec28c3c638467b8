"""Calibrate a rig: python scripts/calibrate_rig.py SESSION --board NAME [options of `mv3d calibrate`]."""

import sys

from mv3d.cli import main

if __name__ == "__main__":
    main(["calibrate", *sys.argv[1:]])
