"""Read what a run left on disk and show it; nothing is computed here."""
