"""A local page on which people try models with their own voice."""
