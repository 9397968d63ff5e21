"""Calibration: the tokens a model is shown, and the Hessians X^T X / n of its linear layers."""
