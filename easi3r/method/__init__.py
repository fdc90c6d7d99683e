"""The steps of one clip, and the network over its pairs."""
