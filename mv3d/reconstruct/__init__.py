"""From 2D keypoints of several views to a 3D skeleton over time."""
