"""Colours and sizes that every picture shares."""

INK = (0.13, 0.15, 0.18)
MUTED = (0.42, 0.45, 0.50)
RULE = (0.84, 0.85, 0.87)
ACCENT = (0.13, 0.42, 0.72)
WARNING = (0.78, 0.24, 0.05)
SCORE_COLOURS = "inferno"
DEPTH_COLOURS = "viridis_r"
HEADING_SIZE = 12.5
TITLE_SIZE = 9.5
LABEL_SIZE = 8.0
