"""Train a ConvNeXt on a folder of pictures, and evaluate it on another."""
