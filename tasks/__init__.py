"""Prefect tasks, thin wrappers of `easi3r`, and the executors they run on."""
