"""The networks on the road from ResNet-50 to ConvNeXt-T (Liu et al. 2022, arXiv:2201.03545, section 2)."""
