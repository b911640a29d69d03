"""What every architecture offers to the exporter."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from export.manifest import Value
from export.spec import ModelSpec

# Facts by which a catalog's model is told from others; the keys are fields of ModelSpec.
Identity = dict[str, str | int]


@dataclass(frozen=True)
class Options:
    """What the person at the command line may say of a model that no catalog knows."""

    prompts: dict[str, str] = field(default_factory=dict)
    pooling: str | None = None


@dataclass(frozen=True)
class Written:
    """Files of a model directory, and the tables of the manifest that speak of them."""

    files: list[Path]
    tables: dict[str, dict[str, Value]]


class Model(Protocol):
    """A checkpoint whose configuration has been read, and found to be one that can be exported."""

    def identity(self) -> Identity:
        """What must agree with a catalog entry of the name."""

    def derive(self, name: str, options: Options) -> ModelSpec:
        """The model's facts from its own files and `options`."""

    def check(self, spec: ModelSpec, is_known: bool) -> None:
        """Refuse weights and files that contradict `spec`, which a catalog gave if `is_known`."""

    def write(self, spec: ModelSpec, precision: str, folder: Path) -> Written:
        """Write everything but the manifest into an empty folder."""
