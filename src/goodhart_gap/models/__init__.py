"""Base checkpoints: where they come from, and how they are cut into shards of blocks."""
