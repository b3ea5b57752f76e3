"""Judges: what reads a caption and says whether another caption states the same."""
