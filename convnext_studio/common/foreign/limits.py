"""How much of a file is read, and how large what it describes may be; larger is refused in a sentence.

Any file may be hostile or damaged, so that nothing of it is believed before it is bounded. A file gets at most
5 s and 2 GB of memory, and the numbers here are chosen for that.
"""

LARGEST_SESSION_BYTES = 32 << 20
LARGEST_RECIPE_BYTES = 16 << 20
LARGEST_SETTINGS_BYTES = 4 << 20
LARGEST_CHAPTER_BYTES = 4 << 20
"""Of a lecture's Markdown."""
LARGEST_HEADER_BYTES = 8_000_000
"""Of tensors' lists, JSON files and class names beside weights. A header with 1000 labels has 0.1 MB, and
parsed JSON takes many times its size in memory."""
LARGEST_DIRECTORY_BYTES = 8_000_000
"""Of the list of members in a zip archive, which `zipfile` would read at once whatever its length."""
LARGEST_ABOUT_BYTES = 1 << 24
"""Of what a field's file says about it."""
LARGEST_SOFT_TARGETS_BYTES = 4 << 30
"""They are read to be trained on, on purpose, and their probabilities are needed as a whole."""
LARGEST_PASTED_BYTES = 256 << 20
LARGEST_ONNX_BYTES = 2 << 30
"""The format itself ends there."""

MOST_FIELD_PIXELS = 4096 * 4096
"""Of a saved receptive field; the program itself measures up to that size."""

LONGEST_FOREIGN_TEXT = 200
"""How many characters of a text from elsewhere a message quotes."""
LONGEST_FORMULA = 2000
DEEPEST_FORMULA = 20
"""How many braces a lecture's formula may have open at once."""

MOST_CLASSES = 200_000
MOST_CHANNELS = 16_384
"""Of a stage; the largest published network has 3,072."""
MOST_INPUT_CHANNELS = 1024
MOST_BLOCKS = 1000
"""In one stage; the deepest published network has 36."""
LARGEST_KERNEL = 31
LARGEST_STEM_KERNEL = 64
"""Also the limit of its stride."""
LARGEST_EXPANSION = 64
MOST_HIDDEN_LAYERS = 7
"""In the head."""
MOST_PARAMETERS = 2_000_000_000
"""The largest published ConvNeXt has 0.85 billion."""
