"""Reads the words of notices from the files beside this one: `notices/<language>/<name>.txt`."""

from importlib.resources import files

from postroad.fanout.notice_text import Texts, checked


def load() -> Texts:
    """Every language there is. Raises ValueError for texts that cannot be used, naming the file."""
    texts: dict[str, dict[str, str]] = {}
    for language in (files("postroad.fanout") / "notices").iterdir():
        if language.is_dir():
            texts[language.name] = {
                file.name.removesuffix(".txt"): file.read_text("utf-8")
                for file in language.iterdir()
                if file.name.endswith(".txt")
            }
    return checked(texts)
