"""All that can be asked of the engine and answered by it, a file for each topic.

Messages are frozen plain data and numpy arrays; there is no torch and no Qt here. Arrays are C-contiguous and
read-only. Geometry is in the coordinates of `convnext_studio.common.geometry`.
"""
