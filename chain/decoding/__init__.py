"""Constrained greedy decoding with drafts: many answers at once from one encoded prefix an image."""
