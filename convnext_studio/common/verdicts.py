"""Whether a measurement is better than chance, as a rank among measurements of things that know nothing."""

from collections.abc import Iterable

from msgspec import Struct

LEVEL = 0.05
"""The probability of being called better than chance by chance."""


class Verdict(Struct, frozen=True):
    """The rank of a measurement among random ones.

    Attributes
    ----------
    beaten, of
        The number of random measurements that it is better than, and the number of all of them.
    """

    beaten: int
    of: int

    @classmethod
    def of_value(cls, value: float, by_chance: Iterable[float], *, larger_is_better: bool) -> "Verdict":
        """Rank a value among random ones; a random one that is as good is not beaten."""
        sign = 1 if larger_is_better else -1
        others = [sign * other for other in by_chance]
        return cls(beaten=sum(sign * value > other for other in others), of=len(others))

    @property
    def p_value(self) -> float:
        """The probability that a random one among them all ranks as high (a permutation test)."""
        return (1 + self.of - self.beaten) / (1 + self.of)

    @property
    def is_better_than_chance(self) -> bool:
        """Whether the rank would be reached by chance in at most 5 % of cases."""
        return self.p_value <= LEVEL

    def words(self, kind: str) -> str:
        """Return the verdict in words; `kind` names what the others are, in the plural: "random orders"."""
        said = f"better than {self.beaten} of {self.of} {kind}"
        return said if self.is_better_than_chance else f"{said}, which is not better than chance"
