"""Detectors and taggers: what the engine asks of them, and the embedded ones that need no download."""
