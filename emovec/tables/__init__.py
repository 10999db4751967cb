"""Every file type between two stages, each with one type that describes it."""
