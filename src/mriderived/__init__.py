"""MRI-derived measures from raw BIDS data: one table, with units and reasons."""

__version__ = '0.1.0'
