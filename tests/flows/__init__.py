"""Prefect flows, on a real server."""
