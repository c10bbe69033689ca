"""The positions of a map as vectors of its channels."""

import torch
from torch import Tensor


def finite_vectors(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the vectors of the positions of maps (C, h, w) at which all values are finite.

    Returns
    -------
    vectors
        (n, C) float32.
    where
        (n,): the index of each position, counted row by row.
    """
    vectors = maps.detach().reshape(len(maps), -1).T.float()
    # One value that is not finite makes the sum so, and adding up takes a tenth of the time of looking at all.
    if bool(vectors.sum().isfinite()):
        return vectors, torch.arange(len(vectors), device=vectors.device)
    where = vectors.isfinite().all(dim=1).nonzero()[:, 0]
    return (vectors if len(where) == len(vectors) else vectors[where]), where
