"""PancapEngine: from images to panoptic-caption training data on Ray Data."""
