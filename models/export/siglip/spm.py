"""Reader of a SentencePiece model (spiece.model): a protobuf of which a few fields are needed.

The message is described here and not generated, with the field numbers of
sentencepiece_model.proto; fields that are not listed are skipped by protobuf itself.
"""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from export.errors import ExportError

Field = descriptor_pb2.FieldDescriptorProto
UNIGRAM = 1


class Kind(IntEnum):
    """What a piece is; anything but NORMAL has rules of its own."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


# name → (number, type, default as the proto file has it)
MESSAGES = {
    "Piece": {
        "piece": (1, Field.TYPE_STRING, ""),
        "score": (2, Field.TYPE_FLOAT, "0"),
        "type": (3, Field.TYPE_INT32, str(int(Kind.NORMAL))),
    },
    "Trainer": {
        "model_type": (3, Field.TYPE_INT32, str(UNIGRAM)),
        "treat_whitespace_as_suffix": (24, Field.TYPE_BOOL, "false"),
        "byte_fallback": (35, Field.TYPE_BOOL, "false"),
        "unk_id": (40, Field.TYPE_INT32, "0"),
    },
    "Normalizer": {
        "name": (1, Field.TYPE_STRING, ""),
        "precompiled_charsmap": (2, Field.TYPE_BYTES, ""),
        "remove_extra_whitespaces": (4, Field.TYPE_BOOL, "true"),
        "escape_whitespaces": (5, Field.TYPE_BOOL, "true"),
    },
}
PARTS = {"pieces": (1, "Piece", True), "trainer": (2, "Trainer", False)}
PARTS["normalizer"] = (3, "Normalizer", False)


@dataclass(frozen=True)
class SentencePieceModel:
    """A unigram model: pieces (text, score, kind) by id, and how a text is normalised before."""

    pieces: list[tuple[str, float, int]]
    unk_id: int
    byte_fallback: bool
    normalization: str
    charsmap: bytes
    remove_extra_whitespaces: bool


def read_sentencepiece(path: Path) -> SentencePieceModel:
    """From a file; refuses what the tokenizer that is built of it would do differently."""
    message = message_class()()
    try:
        message.ParseFromString(path.read_bytes())
    except (DecodeError, OSError) as error:
        raise ExportError(f"cannot read {path}: {error}") from error
    trainer, normalizer = message.trainer, message.normalizer
    if not message.pieces:
        raise ExportError(f"{path} is no SentencePiece model: it has no pieces")
    if trainer.model_type != UNIGRAM:
        raise ExportError(f"{path}: only unigram models are supported")
    if trainer.treat_whitespace_as_suffix or not normalizer.escape_whitespaces:
        raise ExportError(f"{path} treats white space in a way that is not supported")
    return SentencePieceModel(
        pieces=[(piece.piece, piece.score, piece.type) for piece in message.pieces],
        unk_id=trainer.unk_id,
        byte_fallback=trainer.byte_fallback,
        normalization=normalizer.name,
        charsmap=normalizer.precompiled_charsmap,
        remove_extra_whitespaces=normalizer.remove_extra_whitespaces,
    )


def message_class() -> type:
    file = descriptor_pb2.FileDescriptorProto(
        name="export/sentencepiece.proto", package="export", syntax="proto2"
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, default) in fields.items():
            message.field.add(
                name=field,
                number=number,
                type=kind,
                label=Field.LABEL_OPTIONAL,
                default_value=default,
            )
    model = file.message_type.add(name="Model")
    for name, (number, part, is_list) in PARTS.items():
        model.field.add(
            name=name,
            number=number,
            type=Field.TYPE_MESSAGE,
            type_name=f".export.{part}",
            label=Field.LABEL_REPEATED if is_list else Field.LABEL_OPTIONAL,
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("export.Model"))
