"""What is fitted on vectors, in seconds."""
