"""Losses, tasks and the adapter that trains them with SpeechBrain."""
