"""Audio in: waves of float32 in [-1, 1], and what is measured on them without a network."""
