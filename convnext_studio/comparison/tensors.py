"""How far two tensors are apart."""

from msgspec import Struct


class TensorDistance(Struct, frozen=True, kw_only=True):
    """How far a tensor of A is from the one of the same name in B.

    Attributes
    ----------
    name, shape
        The name of the tensor, and its shape.
    distance
        The Euclidean norm of the difference.
    relative
        That norm divided by the norm of A's tensor; infinite if that is 0 and the difference is not.
    cosine
        The cosine of the angle between the two; NaN if one of them is 0.
    largest
        The largest magnitude of a value of the difference.
    """

    name: str
    shape: tuple[int, ...]
    distance: float
    relative: float
    cosine: float
    largest: float
