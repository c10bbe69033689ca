"""ConvNeXt Studio: a desktop microscope for ConvNeXt."""

__version__ = "0.1.0"
