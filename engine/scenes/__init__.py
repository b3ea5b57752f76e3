"""Scenes: a procedural image source whose panoptic content is exact, because we draw every pixel ourselves."""
