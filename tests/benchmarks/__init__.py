"""Benchmarks: they report, they never decide a test. `make bench` runs them."""
