"""One module a verb; each has `run`, which the command line calls."""
