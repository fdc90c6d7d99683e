"""Comparison with numbers of the reference implementation: `python -m tests.golden DIR`."""
