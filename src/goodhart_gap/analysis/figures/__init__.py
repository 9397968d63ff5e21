"""Figures, one a module: each takes rows of tables and returns a matplotlib figure."""
