"""Readers and writers, one module a format: videos, rigs, keypoints."""
