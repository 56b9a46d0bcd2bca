"""Customers without a contract: their model, what was fitted, and what follows from it."""
