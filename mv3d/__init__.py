"""mv3d: a 3D motion-capture rig from a few ordinary cameras."""

__version__ = "0.1.0"
