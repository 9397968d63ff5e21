"""Provenance: hashes, code digests, manifests and their verification."""
