"""P7: from the bytes of a picture to the pixels that a model sees, on one core.

Decode, conversion to RGB and resize by crates/inference (the program image_bench, one thread)
against Pillow and numpy in this process, for exam figures (PNG) and photos (JPEG), to what
smart_resize makes of their size and to the squares of SigLIP. The pixels must be equal. Must reach
1.50 over these; other formats are shown for comparison.

Method: A and B in turn on the same bytes, medians over the rounds. Needs no server, but
`cargo build --release -p inference --example image_bench`.

Variables: ITEMBANK_IMAGE_BENCH (the program; target/release/examples/image_bench otherwise).
"""

import io
import math
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL
from measure import seconds, spread
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target" / "release" / "examples" / "image_bench"
ROUNDS = 7
SQUARES = (224, 384)
FIGURES = (
    (400, 300, "L"),
    (640, 480, "RGB"),
    (800, 600, "P"),
    (1200, 700, "RGBA"),
    (1600, 1200, "RGB"),
)
PHOTOS = ((1280, 800), (2000, 1500), (3000, 2000), (4000, 3000))


def figure(width: int, height: int, mode: str) -> Image.Image:
    """A drawing of geometry with smooth lines, axes, a curve and labels."""
    big = Image.new("RGB", (2 * width, 2 * height), "white")
    draw = ImageDraw.Draw(big)
    line = max(3, width // 150)
    for n in range(1, 10):
        draw.line(
            [(0, n * height // 5), (2 * width, n * height // 5)], fill=(225, 225, 235), width=2
        )
    draw.line([(width, 0), (width, 2 * height)], fill="black", width=line)
    draw.line([(0, height), (2 * width, height)], fill="black", width=line)
    curve = [(x, height * (1 - 0.7 * math.sin(x / width * 3))) for x in range(0, 2 * width, 8)]
    draw.line(curve, fill=(20, 60, 200), width=line)
    corners = [
        (width // 3, height // 4),
        (width * 3 // 2, height * 2 // 3),
        (width // 2, height * 7 // 4),
    ]
    draw.polygon(corners, outline="black", fill=(250, 240, 200))
    draw.ellipse((width, height // 3, width * 7 // 4, height), outline=(200, 30, 30), width=line)
    for n, corner in enumerate(corners):
        draw.text(corner, f"{'ABC'[n]} ({n + 2}, {7 - n})", fill="black", font_size=width // 12)
    small = big.resize((width, height), Image.Resampling.LANCZOS)
    return small.quantize(64) if mode == "P" else small.convert(mode)


def photo(width: int, height: int, seed: int) -> Image.Image:
    """Structure of every size with the falling strength of natural pictures, edges, some noise."""
    generator = np.random.default_rng(seed)
    planes = np.zeros((height, width, 3), np.float32)
    for power in range(1, 10):
        shape = (max(2, height >> power), max(2, width >> power))
        for channel in range(3):
            noise = Image.fromarray(generator.normal(0, 1, shape).astype(np.float32))
            planes[..., channel] += np.asarray(noise.resize((width, height))) * 2 ** (0.7 * power)
    planes *= 50 / planes.std()
    planes += 128 + generator.normal(0, 6, (height, width, 1))
    picture = Image.fromarray(np.clip(planes, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = generator.integers(0, width), generator.integers(0, height)
        r = int(generator.integers(width // 50, width // 10))
        draw.ellipse(
            (x - r, y - r, x + r, y + r), fill=tuple(map(int, generator.integers(0, 255, 3)))
        )
    return picture


def saved(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pictures() -> Iterator[tuple[str, str, bytes]]:
    """Group, name and bytes of each file."""
    for width, height, mode in FIGURES:
        yield "PNG", f"figure {mode} {width}x{height}", saved(figure(width, height, mode), "PNG")
    for seed, (width, height) in enumerate(PHOTOS):
        picture = photo(width, height, seed)
        name = f"photo {width * height / 1e6:.1f} MP"
        yield "JPEG", name, saved(picture, "JPEG", quality=88)
        if seed == 1:
            yield "JPEG", f"{name} 4:4:4", saved(picture, "JPEG", quality=92, subsampling=0)
            yield (
                "JPEG",
                f"{name} progressive",
                saved(picture, "JPEG", quality=85, progressive=True),
            )
            yield "WebP", f"{name} lossy", saved(picture, "WEBP", quality=80)
    yield "WebP", "figure lossless", saved(figure(1200, 700, "RGB"), "WEBP", lossless=True)
    yield "GIF", "figure", saved(figure(800, 600, "P"), "GIF")
    yield "BMP", "figure", saved(figure(800, 600, "RGB"), "BMP")


def smart_size(width: int, height: int, factor: int = 32) -> tuple[int, int]:
    """smart_resize of qwen_vl_utils with the limits of Qwen3-VL-Embedding: (width, height)."""
    least, most = 4 * factor**2, 1800 * factor**2
    w, h = (max(factor, round(side / factor) * factor) for side in (width, height))
    if w * h > most:
        beta = math.sqrt(width * height / most)
        w, h = (math.floor(side / beta / factor) * factor for side in (width, height))
    elif w * h < least:
        beta = math.sqrt(least / (width * height))
        w, h = (math.ceil(side * beta / factor) * factor for side in (width, height))
    return w, h


def by_pillow(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """What the reference does: RGBA on white, all else converted, bicubic."""
    picture = Image.open(io.BytesIO(data))
    if picture.mode == "RGBA":
        white = Image.new("RGB", picture.size, (255, 255, 255))
        white.paste(picture, mask=picture.split()[3])
        picture = white
    return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC))


class Ours:
    """The Rust program; it times itself, so pipes do not count."""

    def __init__(self):
        program = Path(os.environ.get("ITEMBANK_IMAGE_BENCH", PROGRAM))
        if not program.exists():
            raise SystemExit("first: cargo build --release -p inference --example image_bench")
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, file: Path, size: tuple[int, int]) -> tuple[float, np.ndarray]:
        """Seconds and pixels [height, width, 3]."""
        self.process.stdin.write(f"{file}\t{size[0]}\t{size[1]}\tbicubic\t1\n".encode())
        self.process.stdin.flush()
        nanoseconds, *shape = self.process.stdout.readline().decode().rstrip("\n").split("\t")
        if nanoseconds == "error":
            raise SystemExit(f"image_bench: {shape[0]}")
        width, height = map(int, shape)
        pixels = np.frombuffer(self.process.stdout.read(width * height * 3), np.uint8)
        return int(nanoseconds) / 1e9, pixels.reshape(height, width, 3)


def compare(ours: Ours, file: Path, size: tuple[int, int]) -> tuple[list[float], list[float]]:
    """Seconds of the rounds, ours and Pillow's; who goes first changes."""
    data = file.read_bytes()
    if not np.array_equal(ours.run(file, size)[1], by_pillow(data, size)):
        raise SystemExit(f"pixels differ: {file.name} to {size}")
    a, b = [], []
    for n in range(ROUNDS):
        if n % 2 == 0:
            a.append(ours.run(file, size)[0])
        b.append(seconds(lambda: by_pillow(data, size)))
        if n % 2 == 1:
            a.append(ours.run(file, size)[0])
    return a, b


def main() -> None:
    ours = Ours()
    print(f"Pillow {PIL.__version__}, numpy {np.__version__}; {ROUNDS} rounds, medians, (min–max)")
    ratios: dict[str, list[float]] = {}
    totals = np.zeros(2)
    with tempfile.TemporaryDirectory() as folder:
        for n, (group, name, data) in enumerate(pictures()):
            file = Path(folder) / f"{n}"
            file.write_bytes(data)
            with Image.open(file) as picture:
                smart = smart_size(*picture.size)
            for size in (smart, *((side, side) for side in SQUARES)):
                a, b = compare(ours, file, size)
                ratio = statistics.median(b) / statistics.median(a)
                ratios.setdefault(group, []).append(ratio)
                if group in ("PNG", "JPEG"):
                    totals += statistics.median(a), statistics.median(b)
                print(
                    f"    {group:4} {name:26} {len(data) / 1024:6.0f} KiB"
                    f" to {size[0]:4}x{size[1]:<4}"
                    f"  ours {1000 * statistics.median(a):7.2f} ms"
                    f"  Pillow {1000 * statistics.median(b):7.2f} ms"
                    f"  ratio {spread([y / x for x, y in zip(a, b, strict=True)])}"
                )
    for group, found in ratios.items():
        mean = statistics.geometric_mean(found)
        print(f"    {group:4} geometric mean {mean:.2f}, least {min(found):.2f}")
    mix = [ratio for group in ("PNG", "JPEG") for ratio in ratios[group]]
    print(
        f"P7  bytes to pixels   ours {totals[0]:.3f} s   Pillow {totals[1]:.3f} s"
        f"   {len(mix)} cases   ratio {totals[1] / totals[0]:.2f}"
        f", geometric mean {statistics.geometric_mean(mix):.2f}"
        f"   pixels identical   must reach 1.50"
    )


if __name__ == "__main__":
    main()
