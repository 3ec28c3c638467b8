"""Live cameras: sources of frames, and the recorder that loses none of them."""
