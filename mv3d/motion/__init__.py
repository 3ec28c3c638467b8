"""From joint positions to a moving body: a kinematic skeleton with constant bones, its rotations, angles and names."""
