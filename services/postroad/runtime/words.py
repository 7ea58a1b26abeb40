"""How people are told how many."""


def counted(count: int, one: str, many: str = "") -> str:
    """ "1 topic", "2 topics"; `many` where an s does not do."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"
