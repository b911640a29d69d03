"""Numbers of config.json and its kin: read with a type, or refused with the key's name."""

from pathlib import Path

from export.errors import ExportError
from export.jsonfile import read_object


class Section:
    """One JSON object of a configuration file; errors name the file and the key.

    A default stands in for an absent key or `null`; without one the key must be there.
    """

    def __init__(self, content: dict, place: str = "config.json"):
        self.content = content
        self.place = place

    @classmethod
    def of_file(cls, path: Path) -> "Section":
        """The object in a file, which must exist."""
        if not path.exists():
            raise ExportError(f"{path} is missing")
        return cls(read_object(path), path.name)

    @classmethod
    def of_image_processor(cls, folder: Path) -> "Section":
        """preprocessor_config.json, or what transformers 5 writes in its place."""
        path, newer = folder / "preprocessor_config.json", folder / "processor_config.json"
        if path.exists() or not newer.exists():
            return cls.of_file(path)
        section = cls.of_file(newer).section("image_processor")
        if not section.content:
            raise ExportError(f"{newer} has no image_processor")
        return section

    def section(self, key: str) -> "Section":
        """A nested object; an absent one is empty."""
        value = self.content.get(key)
        if value is not None and not isinstance(value, dict):
            raise ExportError(f"{self.place}: {key} is no JSON object")
        return Section(value or {}, f"{self.place}: {key}")

    def number(self, key: str, default: float | None = None) -> float:
        """A positive number."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ExportError(f"{self.place}: {key} is {value!r}, not a positive number")
        return value

    def count(self, key: str, default: int | None = None) -> int:
        """A positive whole number."""
        value = self.number(key, default)
        if not isinstance(value, int):
            raise ExportError(f"{self.place}: {key} is {value!r}, not a whole number")
        return value

    def token(self, key: str, default: int | None = None) -> int:
        """A token's id: a whole number, not negative."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ExportError(f"{self.place}: {key} is {value!r}, not a token's id")
        return value

    def counts(self, key: str) -> list[int]:
        """A list of whole numbers, none of them negative."""
        value = self._get(key, None)
        if not isinstance(value, list) or any(type(one) is not int or one < 0 for one in value):
            raise ExportError(f"{self.place}: {key} is {value!r}, not a list of whole numbers")
        return value

    def numbers(self, key: str, length: int, default: float | None) -> list[float]:
        """A list of `length` numbers; a single one stands for all."""
        value = self._get(key, default)
        values = value if isinstance(value, list) else [value] * length
        if len(values) != length or any(
            isinstance(one, bool) or not isinstance(one, int | float) for one in values
        ):
            raise ExportError(f"{self.place}: {key} is {value!r}, not {length} numbers")
        return [float(one) for one in values]

    def want(self, key: str, allowed: tuple, default: object = None) -> object:
        """The value of `key`, which must be one of `allowed`."""
        value = self.content.get(key)
        value = default if value is None else value
        if value not in allowed or isinstance(value, bool) != isinstance(allowed[0], bool):
            shown = " or ".join(repr(one) for one in allowed)
            raise ExportError(f"{self.place}: {key} {value!r} is not supported, only {shown}")
        return value

    def _get(self, key: str, default: float | None) -> object:
        value = self.content.get(key)
        if value is None:
            value = default
        if value is None:
            raise ExportError(f"{self.place} has no {key}")
        return value
