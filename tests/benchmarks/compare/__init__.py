"""This commit against another one on this machine: `make compare BASE=.. WHAT=..`."""
