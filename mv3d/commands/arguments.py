"""What commands have in common: how a session is named, and what a command returns."""

from pathlib import Path

import tyro

Session = tyro.conf.Positional[Path]
Lines = list[str]
