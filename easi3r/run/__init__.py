"""A run over a collection: worker, supervisor, ledger, forecast. Start at `collection.py`."""
