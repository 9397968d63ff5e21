"""Compression: W ~ Q + L R, quantizers, error feedback, low-rank fits, and the file format."""
