"""Emotion without identity, and identity without emotion: LR-VAE, its baselines, its attackers."""
