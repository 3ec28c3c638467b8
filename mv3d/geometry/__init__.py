"""Arrays in, arrays out: rotations, lens models, triangulation, linear solvers. Imports nothing else of mv3d."""
