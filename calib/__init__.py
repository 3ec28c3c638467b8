"""Rig calibration from boards."""
