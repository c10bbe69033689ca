"""Training a ConvNeXt on a folder of pictures, and measuring it on another."""
