"""Compressed checkpoints in the formats of other tools."""
