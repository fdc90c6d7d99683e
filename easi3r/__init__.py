"""4D annotation of video: what moves, where the camera is, and where every pixel lies."""
