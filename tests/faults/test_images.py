"""Bad images through SQL: a clear error, at once, in flat memory, and the session goes on."""

import struct
import zlib
from io import BytesIO

import pytest
from conftest import ROOT, fails, setting
from PIL import Image

IMAGES = ROOT / "tests" / "fixtures" / "images"
INVALID_BINARY_REPRESENTATION = "22P03"
PROGRAM_LIMIT_EXCEEDED = "54000"
EMBED = "SELECT embed('tiny-siglip', NULL, %s::bytea)"
# A picture that decodes to a hundred times this would show.
FLAT_KB = 64 * 1024


def fixture(name):
    return (IMAGES / name).read_bytes()


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, *chunks):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks)


def zeros(megabytes):
    """So many bytes of zeros, deflated a thousandfold."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(megabytes)]
    return b"".join(parts) + packer.flush()


def saved(size, **options):
    out = BytesIO()
    Image.new("RGB", size, (200, 100, 50)).save(out, **options)
    return out.getvalue()


def bmp(width, height):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


END = chunk(b"IEND", b"")
# Everything here is refused by its form.
BROKEN = {
    "empty": b"",
    "one byte": b"\x89",
    "zeros": bytes(4096),
    "text": b"this is no image" * 100,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "tiff": b"II*\0" + bytes(64),
    "magic alone, png": b"\x89PNG\r\n\x1a\n",
    "magic alone, jpeg": b"\xff\xd8\xff",
    "magic alone, webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "magic alone, gif": b"GIF89a",
    "magic alone, bmp": b"BM",
    "wrong magic": b"GIF8" + fixture("png-rgb8.png")[4:],
    "no pixels": png(8, 8, END),
    "zero wide": png(0, 8, END),
    "broken pixels": png(8, 8, chunk(b"IDAT", b"\0" * 50), END),
    "jpeg without tables": b"\xff\xd8\xff\xc0\0\x11\x08\0\x10\0\x10\x03" + bytes(64),
}
TRUNCATED = [
    "png-rgb8.png",
    "png-palette8.png",
    "jpeg-420.jpg",
    "jpeg-progressive.jpg",
    "webp-lossy.webp",
    "webp-lossless.webp",
    "gif-still.gif",
    "bmp-24.bmp",
]
# Everything here is refused by what it would cost.
TOO_LARGE = {
    "100,000 x 100,000 png": png(100_000, 100_000, chunk(b"IDAT", zeros(64)), END),
    "largest png": png(2**31 - 1, 2**31 - 1, END),
    "100,000 x 100,000 bmp": bmp(100_000, 100_000),
    "65,535 x 65,535 gif": b"GIF89a" + b"\xff" * 4 + fixture("gif-still.gif")[10:],
    "16,383 x 16,383 webp": saved((64, 64), format="WEBP", lossless=True)[:21]
    + struct.pack("<I", 16382 | 16382 << 14)
    + bytes(64),
    "8,000 x 8,000 png, all black": png(8000, 8000, chunk(b"IDAT", zeros(184)), END),
}


@pytest.fixture
def session(sql, url):
    """A session on the tiny models, warm, in which nothing may take long."""
    models = setting("ITEMBANK_FIXTURES")
    sql.execute("SELECT set_config('itembank_embed.model_path', %s, false)", (models,))
    sql.execute(EMBED, (fixture("png-rgb8.png"),))
    sql.execute("SET statement_timeout = '2s'")
    return sql


def high_water(connection):
    """The backend's largest resident memory so far, in kB."""
    with open(f"/proc/{connection.info.backend_pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken(session, content):
    fails(session, INVALID_BINARY_REPRESENTATION, EMBED, (content,))


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_anywhere(session, name):
    whole = fixture(name)
    for share in (0.02, 0.3, 0.6, 0.95):
        part = whole[: max(1, int(len(whole) * share))]
        fails(session, INVALID_BINARY_REPRESENTATION, EMBED, (part,))


@pytest.mark.parametrize("content", TOO_LARGE.values(), ids=TOO_LARGE)
def test_too_large_in_flat_memory(session, content):
    before = high_water(session)
    fails(session, PROGRAM_LIMIT_EXCEEDED, EMBED, (content,))
    assert high_water(session) - before < FLAT_KB + len(content) // 256


def test_bombs_in_metadata_are_harmless(session):
    bomb = zeros(512)
    before = high_water(session)
    pixels = zlib.compress(bytes(8 * (8 * 3 + 1)))
    for kind in (b"zTXt", b"iCCP"):
        meta = chunk(kind, b"name\0\0" + bomb)
        session.execute(EMBED, (png(8, 8, meta, chunk(b"IDAT", pixels), END),))
    assert high_water(session) - before < FLAT_KB


def test_pixels_beyond_the_header_are_no_bomb(session):
    before = high_water(session)
    content = png(8, 8, chunk(b"IDAT", zeros(512)), END)
    session.execute(EMBED, (content,))
    assert high_water(session) - before < FLAT_KB


@pytest.mark.parametrize("size", [(20_000_000, 1), (1, 20_000_000)], ids=["wide", "tall"])
def test_long_pictures_take_no_more_than_others(session, size):
    """Weights of a resize grow with the side, not with the pixels."""
    total = ((size[0] + 7) // 8 + 1) * size[1]
    pixels = zlib.compressobj(9)
    packed = pixels.compress(bytes(total)) + pixels.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + END
    session.execute("SET statement_timeout = 0")
    before = high_water(session)
    session.execute(EMBED, (content,))
    assert high_water(session) - before < size[0] * size[1] * 12 // 1024 + FLAT_KB


def test_limits_are_settings(session):
    picture = saved((100, 50), format="PNG")
    session.execute("SET itembank_embed.max_image_pixels = 4999")
    error = fails(session, PROGRAM_LIMIT_EXCEEDED, EMBED, (picture,))
    assert "max_image_pixels" in error.diag.message_hint
    session.execute("SET itembank_embed.max_image_pixels = 5000")
    session.execute(EMBED, (picture,))
    session.execute(f"SET itembank_embed.max_image_bytes = {len(picture) - 1}")
    error = fails(session, PROGRAM_LIMIT_EXCEEDED, EMBED, (picture,))
    assert "max_image_bytes" in error.diag.message_hint


def test_aspect_ratio(session):
    """The reference refuses more than 200; one pixel less is an image."""
    qwen = "SELECT embed('tiny-qwen3-vl', NULL, %s::bytea)"
    session.execute("SET statement_timeout = 0")
    session.execute(qwen, (saved((400, 2), format="PNG"),))
    for size in ((402, 2), (2, 402)):
        fails(session, PROGRAM_LIMIT_EXCEEDED, qwen, (saved(size, format="PNG"),))


@pytest.mark.parametrize(
    "name",
    [
        "png-1x1.png",
        "png-animated.png",
        "gif-animated.gif",
        "webp-animated.webp",
        "jpeg-broken-exif.jpg",
        "jpeg-broken-icc.jpg",
        "png-broken-icc.png",
    ],
)
def test_odd_but_readable(session, name):
    assert session.execute(EMBED, (fixture(name),)).fetchone()[0]


def test_the_row_is_named_and_nothing_is_written(session):
    good, bad = fixture("png-rgb8.png"), b"no image"
    error = fails(
        session,
        INVALID_BINARY_REPRESENTATION,
        "SELECT embed('tiny-siglip', NULL::text[], %s::bytea[])",
        ([good, None, bad],),
    )
    assert error.diag.message_detail.startswith("Input 3 of 3: ")
    session.execute("CREATE TEMP TABLE t (n int, e vector)")
    insert = "INSERT INTO t SELECT n, embed('tiny-siglip', NULL, p) FROM unnest(%s::bytea[])"
    fails(
        session,
        INVALID_BINARY_REPRESENTATION,
        f"{insert} WITH ORDINALITY AS u(p, n)",
        ([good, good, bad],),
    )
    assert session.execute("SELECT count(*) FROM t").fetchone() == (0,)
