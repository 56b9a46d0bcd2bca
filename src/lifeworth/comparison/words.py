"""A point against a band, in words."""

from __future__ import annotations


def verdict(estimate: float, reason: str, mean: float, low: float, high: float) -> str:
    """A point against a band, in words.

    Examples
    --------
    >>> verdict(131.0, "", 100.0, 90.0, 110.0)
    'above P90: overstates by 31%'
    >>> verdict(98.0, "", 100.0, 90.0, 110.0)
    'inside the band: 2% below the mean'
    """
    if reason:
        return f"undefined: {reason}"
    if mean <= 0:
        side = "above" if estimate > high else "below" if estimate < low else "inside"
        return f"{side} the band; the posterior mean is not positive"
    ratio = estimate / mean
    gap = f"{abs(ratio - 1):.0%}"
    if estimate > high:
        return f"above P90: overstates {f'by {gap}' if ratio < 10 else f'{ratio:,.0f}-fold'}"
    if estimate < low:
        return f"below P10: understates by {gap}"
    return f"inside the band: {gap} {'above' if estimate >= mean else 'below'} the mean"
