"""Statistics: arrays in, numbers out; NumPy and SciPy only."""
