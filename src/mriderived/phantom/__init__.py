"""A synthetic BIDS dataset of whole heads with known truth, for the demo and the tests."""
