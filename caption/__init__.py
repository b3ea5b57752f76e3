"""The panoptic caption itself: boxes and their frames, content, text formats, image loading."""

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation

__all__ = ["Attribute", "Box", "CaptionContent", "Entity", "Relation"]
