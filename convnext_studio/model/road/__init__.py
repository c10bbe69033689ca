"""The road from ResNet-50 to ConvNeXt-T, step by step (Liu et al. 2022, arXiv:2201.03545, section 2)."""
