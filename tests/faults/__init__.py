"""Faults inflicted on real runs, and what the store holds after the next run (`make faults`)."""
