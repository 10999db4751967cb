"""Metrics: pure functions of arrays, and intervals for whatever they measure."""
