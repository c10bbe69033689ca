"""The leading eigenvectors of a symmetric matrix."""

import numpy as np
from numpy.typing import NDArray

_SMALL, _MIDDLE = 64, 512
"""Up to the first side, all eigenvectors take no longer than a few; up to the second, LAPACK finds a few sooner
than Lanczos iterations do."""


def leading_eigenvectors(
    matrix: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest eigenvalues of a symmetric matrix and their eigenvectors.

    Parameters
    ----------
    matrix
        (n, n), symmetric and without negative eigenvalues.
    count
        How many; at most n.

    Returns
    -------
    values
        (count,), the largest first; what rounding made negative is 0.
    vectors
        (count, n), of length 1 and at right angles to each other.
    """
    side = len(matrix)
    if side <= _SMALL or count > side // 4:
        values, vectors = np.linalg.eigh(matrix)
    elif side <= _MIDDLE:
        values, vectors = _by_reduction(matrix, count)
    else:
        values, vectors = _by_iterations(matrix, count)
    order = np.argsort(-values, kind="stable")[:count]
    return np.maximum(values[order], 0.0), np.ascontiguousarray(vectors[:, order].T)


# scipy is imported where it is used: it takes a quarter of a second, and the engine is to start at once.


def _by_reduction(matrix: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.linalg import eigh

    side = len(matrix)
    wanted = (side - count, side - 1)
    # In float32 in half the time, and then one step of the power method with Rayleigh quotients in float64.
    rough = eigh(matrix.astype(np.float32), subset_by_index=wanted, driver="evr", check_finite=False)[1]
    basis = np.linalg.qr(matrix @ rough.astype(np.float64))[0]
    values, turned = np.linalg.eigh(basis.T @ matrix @ basis)
    return values, basis @ turned


def _by_iterations(matrix: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    # A fixed start, so that the same pictures always give the same numbers.
    start = np.random.default_rng(0).standard_normal(len(matrix))
    try:
        values, vectors = eigsh(matrix, count, v0=start)
    except ArpackNoConvergence:
        values, vectors = np.linalg.eigh(matrix)
    return values, vectors
