"""Benchmarks: they report figures and fail no test. `make bench` runs them."""
