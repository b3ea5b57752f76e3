"""Constrained greedy decoding with drafts: many images side by side, each encoded once, each at its own pace."""
