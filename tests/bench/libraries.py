"""Libraries for Python that embed, each with the weights of the default model: not our program.

    libraries.py FOLDER     library_client.py runs it, with the interpreter of dev/reference.sh

sentence-transformers  5.1, torch on the CPU in float32, its default.
fastembed              0.9, onnxruntime over our graph.
onnxruntime            what sentence-transformers does (all texts by length, batches of 32, each
                       padded to its longest), with onnxruntime over our graph in place of torch.

Each reads rows through psycopg, embeds them in batches of 32, and stores the vectors by executemany
in one transaction, as an application would. Lines of JSON on stdin: {"library", "texts"} is
answered by vectors, {"library", "url"} is the back-fill of table bench_items, answered by how many
rows. Imports and loads are over by then.
"""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

BATCH = 32
PROMPT = "passage: "
DIMENSIONS, MAX_TOKENS = 384, 512
OUTPUT = "sentence_embedding"
NAME = "item-bank/e5"

Embed = Callable[[list[str]], Iterable[np.ndarray]]


def sentence_transformers(folder: Path) -> Embed:
    """`encode`."""
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda texts: model.encode(texts, batch_size=BATCH, show_progress_bar=False)


def fastembed(folder: Path) -> Embed:
    """`embed`, the graph's own pooling."""
    TextEmbedding.add_custom_model(
        model=NAME,
        pooling=PoolingType.DISABLED,
        normalization=True,
        sources=ModelSource(hf=NAME),
        dim=DIMENSIONS,
        model_file="model.onnx",
        output_name=OUTPUT,
    )
    model = TextEmbedding(NAME, specific_model_path=str(folder))
    return lambda texts: model.embed(texts, batch_size=BATCH)


def plain_onnxruntime(folder: Path) -> Embed:
    """Default options of a session."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pad = json.loads((folder / "config.json").read_text(encoding="utf-8"))["pad_token_id"]
    tokenizer.enable_padding(pad_id=pad, pad_token=tokenizer.id_to_token(pad))
    tokenizer.enable_truncation(MAX_TOKENS)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))

    def embed(texts: list[str]) -> np.ndarray:
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        order = sorted(range(len(texts)), key=lambda n: -len(texts[n]))
        for start in range(0, len(order), BATCH):
            members = order[start : start + BATCH]
            encoded = tokenizer.encode_batch([texts[n] for n in members])
            feed = {
                "input_ids": np.array([one.ids for one in encoded], np.int64),
                "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
            }
            vectors[members] = session.run([OUTPUT], feed)[0]
        return vectors

    return embed


LIBRARIES = {
    "sentence-transformers": sentence_transformers,
    "fastembed": fastembed,
    "onnxruntime": plain_onnxruntime,
}


def backfill(url: str, embed: Embed) -> int:
    """Embeds all rows of bench_items; how many."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        rows = cursor.execute("SELECT id, text FROM bench_items ORDER BY id").fetchall()
        vectors = embed([PROMPT + text for _, text in rows])
        values = [
            (f"[{','.join(map(str, vector.tolist()))}]", number)
            for (number, _), vector in zip(rows, vectors, strict=True)
        ]
        cursor.executemany("UPDATE bench_items SET embedding = %s::vector WHERE id = %s", values)
        return len(values)


def main() -> None:
    folder = Path(sys.argv[1])
    embeds = {name: load(folder) for name, load in LIBRARIES.items()}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        embed = embeds[asked["library"]]
        if "texts" in asked:
            vectors = embed([PROMPT + text for text in asked["texts"]])
            answer = [vector.tolist() for vector in vectors]
        else:
            answer = backfill(asked["url"], embed)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
