"""Prefect tasks and executors."""
