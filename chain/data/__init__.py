"""What can be trained on, wherever it comes from."""
