"""What a process tells of itself: its figures, whether it lives, whether it is ready."""
