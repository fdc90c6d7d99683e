"""Prefect flows: composition only. Start reading at `annotate.py`."""
