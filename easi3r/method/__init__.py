"""The method on one clip: steps (`steps.py`), and forward passes over pairs (`passes.py`)."""
