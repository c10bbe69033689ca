"""Find a ConvNeXt among named tensors, and give it our names."""
