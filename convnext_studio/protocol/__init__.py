"""The engine's requests and answers, one module for each topic.

Messages are frozen structs of plain data and numpy arrays; nothing here imports torch or Qt. Arrays are
C-contiguous and read-only. Geometry uses the coordinates of `convnext_studio.common.geometry`.
"""
