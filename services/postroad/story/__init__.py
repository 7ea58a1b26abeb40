"""The story of a mail, told from the log: what happened to it, why, and what followed."""
