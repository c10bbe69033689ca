"""What it takes to analyse a picture without the program: import, build, decode, forward, backward."""

import torch
from PIL import Image

from convnext_studio.common.samples import sample_path
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.preprocessing import Preprocessing
from tests.benchmarks.timing import report


def main() -> None:
    """Report when the gradient of the first prediction is there."""
    model = ConvNeXt().eval().requires_grad_(False)
    if torch.cuda.is_available():
        model = model.cuda()
    pixels, _ = Preprocessing()(Image.open(sample_path("cat")))
    x = torch.from_numpy(pixels)[None].to(model.head.weight.device).requires_grad_()
    model(x).max().backward()
    assert x.grad is not None
    report(device=x.grad.cpu().device.type)


if __name__ == "__main__":
    main()
