"""What the positions of a map have in common: principal components, parts, and the lengths of their vectors."""

from convnext_studio.analysis.similarity.components import PrincipalComponents, Spread, scores_of
from convnext_studio.analysis.similarity.norms import NormOutlier, Norms, norms_of
from convnext_studio.analysis.similarity.parts import PartModel, fit_kmeans, fit_nmf

__all__ = [
    "NormOutlier",
    "Norms",
    "PartModel",
    "PrincipalComponents",
    "Spread",
    "fit_kmeans",
    "fit_nmf",
    "norms_of",
    "scores_of",
]
