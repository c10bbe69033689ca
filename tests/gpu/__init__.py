"""One command that proves the program on a GPU: ``python -m tests.gpu``.

No Qt, no network, at most 6 minutes on a data centre's GPU. It prints one table, writes one JSON, and exits
with 1 where something is wrong. Without a GPU it says so and runs the same on the CPU with small sizes.

A machine that has PyTorch for CUDA, timm, torchvision, numpy, pillow, scikit-image, safetensors and matplotlib
needs some small wheels besides. Where the network is::

    python -m tests.gpu.fetch_wheels wheels

and on the machine with the GPU, in the checkout with that folder in it::

    python3 -m pip install --no-index --no-deps --no-compile --target /tmp/site wheels/*.whl
    PYTHONPATH=/tmp/site PYTHONUNBUFFERED=1 python3 -m tests.gpu --json gpu.json

What is left of the time can train the bundled model: see `tests.gpu.train_bundled`.
"""
