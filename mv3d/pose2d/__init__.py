"""From images to 2D keypoints with a Part Affinity Field network. The only room with torch."""
