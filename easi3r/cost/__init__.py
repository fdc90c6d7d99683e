"""Cost of a clip: operations, memory traffic and peak memory, in closed form."""
