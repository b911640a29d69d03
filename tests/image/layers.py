"""layers.py IMAGE.json LAYERS.json IMAGES.json NAME: what each instruction of the image takes, from
its configuration and from the store's lists of layers and images.
"""

import json
import re
import sys
from pathlib import Path


def layer_sizes(layers: list[dict], images: list[dict], name: str) -> list[int]:
    """Bytes of each layer, the lowest first."""
    known = {layer["id"]: layer for layer in layers}
    layer = next(image["layer"] for image in images if name in image.get("names", []))
    sizes = []
    while layer:
        sizes.insert(0, known[layer].get("diff-size", 0))
        layer = known[layer].get("parent")
    return sizes


def main() -> None:
    image, layers, images = (json.loads(Path(file).read_text()) for file in sys.argv[1:4])
    steps = [step for step in image["Docker"]["history"] if not step.get("empty_layer")]
    sizes = layer_sizes(layers, images, sys.argv[4])
    steps[0]["created_by"] = "the base image"
    for step, size in zip(steps, sizes, strict=True):
        if size > 1e5:
            said = re.sub(
                r"^(\|\d+ \S+ )?/bin/sh -c (#\(nop\) )?|(dir|file|multi):\w+ in ",
                "",
                step["created_by"],
            )
            print(f"{size / 1e6:8.1f} MB  {' '.join(said.split())[:100]}")
    print(f"{sum(sizes) / 1e6:8.1f} MB  in all, uncompressed")


main()
