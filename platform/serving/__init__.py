"""The chain behind HTTP on Ray Serve."""
