"""Runtime: from base and compressed shards to a model that can be run."""
