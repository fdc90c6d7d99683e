"""The command line: what can be typed, and how it is shown."""
