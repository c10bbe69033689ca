"""What torch, the weights and the activations of one picture take without the program."""

import os

import torch

from convnext_studio.model.convnext import ConvNeXt
from tests.benchmarks.programs.remembering import peak_bytes
from tests.benchmarks.timing import report


def main() -> None:
    """Report the memory of importing torch, building the network, a forward and a backward pass."""
    model = ConvNeXt().eval().requires_grad_(False)
    x = torch.randn(1, 3, 224, 224, requires_grad=True)
    model(x).max().backward()
    assert x.grad is not None
    report(peak_bytes=peak_bytes(os.getpid()))


if __name__ == "__main__":
    main()
