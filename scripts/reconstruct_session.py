"""Run the whole chain on a session: python scripts/reconstruct_session.py SESSION [options of `mv3d run`]."""

import sys

from mv3d.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
