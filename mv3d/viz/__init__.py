"""Pictures: overlays, the 3D scene, videos, the HTML report."""
