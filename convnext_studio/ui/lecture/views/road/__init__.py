"""Views of the chapter on the road from ResNet-50 to ConvNeXt-T."""
