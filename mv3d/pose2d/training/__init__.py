"""Training of PAF networks on images with keypoints."""
