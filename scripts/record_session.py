"""Record cameras into a session: python scripts/record_session.py SESSION --camera NAME=SOURCE ... [--seconds S]."""

import sys

from mv3d.cli import main

if __name__ == "__main__":
    main(["record", *sys.argv[1:]])
