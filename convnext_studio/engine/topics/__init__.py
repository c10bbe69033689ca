"""What can be asked and answered, one topic a file: frozen plain data and numpy arrays, no torch, no Qt.

Arrays are C-contiguous and read-only. Geometry is in the coordinates of `convnext_studio.geometry`.
"""
