"""Export a session's 3D keypoints: python scripts/export_keypoints.py SESSION --format trc csv ..."""

import sys

from mv3d.cli import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
