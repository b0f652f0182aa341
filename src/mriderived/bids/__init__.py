"""Reading raw BIDS datasets and naming, describing and checking the outputs."""
