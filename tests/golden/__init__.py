"""Comparison with numbers of the reference implementation: `python -m tests.golden`."""

from pathlib import Path

REFERENCE = Path(__file__).parent / "reference"
"""The reference numbers; docs/method.md, section 7, says what each file holds."""
