"""The types that stages hand to each other: cameras, skeletons, poses. Small and frozen."""
