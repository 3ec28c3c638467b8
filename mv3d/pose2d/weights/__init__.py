"""Weights that ship with the package; NOTICE says whose they are."""
