"""The array operations of the definitions on PyTensor variables."""

from __future__ import annotations

import pytensor.tensor as pt

from lifeworth._ops import Ops

PYTENSOR = Ops(
    exp=pt.exp,
    log=pt.log,
    expm1=pt.expm1,
    log1p=pt.log1p,
    expit=pt.sigmoid,
    gammaln=pt.gammaln,
    logaddexp=pt.logaddexp,
    where=pt.where,
    take=lambda values, position: pt.take(values, position, axis=-1),
)
"""The operations on symbolic tensors."""
