"""What each command takes, and the lines that it has to say when it is done; `mv3d.cli` names and prints them.

One module a theme. Stages are imported inside the commands: torch, numba and OpenCV take seconds, and `mv3d --help`
needs none of them.
"""
