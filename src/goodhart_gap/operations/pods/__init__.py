"""Rented machines: create a RunPod pod, run the workflow on it, follow it, stop it."""
