"""The pages of the HTTP door: a file each for mail, webhooks, leaving lists, and linked files."""
