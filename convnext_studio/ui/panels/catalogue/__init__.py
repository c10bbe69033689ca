"""The catalogue of pretrained models."""
