"""MBG/NBD: as BG/NBD, but a customer may already leave after the first purchase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lifeworth.purchases.bg_nbd import BGNBD


@dataclass(frozen=True, slots=True)
class MBGNBD(BGNBD):
    """Modified beta-geometric / NBD: BGNBD with one more occasion to leave, right after the first purchase.

    So customers without a repeat may have left, and `expected_new` is smaller by those who leave at once.

    Examples
    --------
    Leaving at every occasion with certainty nearly 1, hardly anybody comes back:

    >>> theta = {"purchase_rate": 5.0, "rate_variation": 1.0, "dropout": 0.999, "dropout_polarization": 0.001}
    >>> bool(MBGNBD().expected_new(theta, 1.0)[0] < 0.002 < 0.8 < BGNBD().expected_new(theta, 1.0)[0])
    True
    """

    source = "Batislam, Denizel & Filiztekin (2007), Int. J. Research in Marketing 24(3), 201-209"
    first_may_be_last: ClassVar[int] = 1
