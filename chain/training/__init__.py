"""Training of the chain: the vision tower first, then the four stages on Ray Train and DeepSpeed."""
