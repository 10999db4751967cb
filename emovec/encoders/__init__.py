"""Encoders: waves in, frames or one embedding a clip out; pooling layers; model folders."""
