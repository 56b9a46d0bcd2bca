"""Carrying a fit forward, group by group and step by step, expected or in random futures."""
