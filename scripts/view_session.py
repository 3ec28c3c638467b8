"""Look at a session's skeleton in 3D: python scripts/view_session.py SESSION [--video scene.mp4]."""

import sys

from mv3d.cli import main

if __name__ == "__main__":
    main(["view", *sys.argv[1:]])
