"""One `Generator` protocol for prompts in, text out."""
