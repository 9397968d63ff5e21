"""Templates: problems with seeded generators, whose answers are derived in code."""
