"""The configuration: what the user may write, and one clear sentence when it is wrong."""
