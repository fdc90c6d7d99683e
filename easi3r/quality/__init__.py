"""How much to believe a clip: figures computed while it is in memory, and one calibrated trust."""
