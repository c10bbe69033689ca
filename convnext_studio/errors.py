"""The errors that scripts catch; everything public raises them with a message in plain words and a hint."""

from convnext_studio.common.errors import InputTooLarge, StudioError

__all__ = ["InputTooLarge", "StudioError"]
