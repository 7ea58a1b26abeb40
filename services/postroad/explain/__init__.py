"""What would happen now, and why: the cores asked on states as they are, with nothing published and nothing changed."""
