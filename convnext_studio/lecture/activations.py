"""The activation functions that the lecture compares, for one number."""

import math
from collections.abc import Callable

from convnext_studio.model.config import Act


def relu(x: float) -> float:
    """Return ReLU(x), the positive part."""
    return max(x, 0.0)


def gelu(x: float) -> float:
    """Return GELU(x): x times the standard normal probability below x (Hendrycks and Gimpel 2016)."""
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def gelu_tanh(x: float) -> float:
    """Return the tanh approximation of GELU by its authors."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x: float) -> float:
    """Return SiLU(x): x times the logistic function of x."""
    return x / (1 + math.exp(-x))


CURVES: dict[Act, tuple[str, Callable[[float], float]]] = {
    "gelu": ("GELU", gelu),
    "relu": ("ReLU", relu),
    "gelu_tanh": ("GELU (tanh)", gelu_tanh),
    "silu": ("SiLU", silu),
}
