"""A collection: what a worker runs, what supervises it, and what is kept of it."""
