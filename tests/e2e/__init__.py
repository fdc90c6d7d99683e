"""Whole programs as a user runs them: real processes, real servers, real files."""
