"""Export a session's keypoints and fitted body: python scripts/export_keypoints.py SESSION --format c3d glb --check."""

import sys

from mv3d.cli import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
