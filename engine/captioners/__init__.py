"""Captioners: from an image and its detections to a panoptic caption."""
