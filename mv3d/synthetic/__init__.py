"""Camera rings and moving people with exact truth, for tests, demo and benchmarks."""
