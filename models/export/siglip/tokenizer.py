"""The tokenizers of SigLIP and SigLIP2, with everything that a raw text goes through inside.

SigLIP (transformers' SiglipTokenizer, after big_vision's `canonicalize`): special tokens are split
off, then lower case, no ASCII punctuation, white space squeezed, then SentencePiece, then `</s>`.
SigLIP2: lower case, Gemma's tokenizer without `<bos>`, then `<eos>`.
"""

import json
import logging
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers
from tokenizers.models import Unigram

from export.errors import ExportError
from export.jsonfile import read_object
from export.siglip.spm import Kind, SentencePieceModel, read_sentencepiece
from export.tokenizer import find_tokenizer, read_tokenizer, save_tokenizer

log = logging.getLogger(__name__)

SPACE = "▁"
SPIECE = "spiece.model"
# Python's string.punctuation: the four ranges of ASCII.
PUNCTUATION = r"[!-/:-@\[-`{-~]"
# What Python's `\s` matches; that of tokenizers leaves out the first four.
WHITE = (
    r"[\x{1c}-\x{1f}\x{09}-\x{0d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}"
    r"\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"
)
CLASSES = {
    "SiglipTokenizer": "siglip",
    "T5Tokenizer": "siglip",
    "GemmaTokenizer": "siglip2",
    "Siglip2Tokenizer": "siglip2",
}
# By architecture: end of text and padding, where tokenizer_config.json says nothing.
END = {"siglip": "</s>", "siglip2": "<eos>"}
PAD = {"siglip": "</s>", "siglip2": "<pad>"}
UNKNOWN = "<unk>"
# More than any text of 64 tokens could make up for.
OUT_OF_REACH = 10_000.0


class SiglipTokenizer:
    """The tokenizer files of one checkpoint; which they are tells SigLIP from SigLIP2."""

    def __init__(self, folder: Path, root: Path, given: Path | None):
        self.settings = read_object(folder / "tokenizer_config.json")
        if given is None and (folder / SPIECE).exists():
            given = folder / SPIECE
        self.path = given or find_tokenizer(folder, root)
        self.architecture = self._architecture()
        if self.settings.get("do_lower_case", True) is not True:
            raise ExportError(f"{folder / 'tokenizer_config.json'}: do_lower_case must be true")

    @property
    def _is_spm(self) -> bool:
        return self.path.suffix == ".model"

    def _architecture(self) -> str:
        name = str(self.settings.get("tokenizer_class", "")).removesuffix("Fast")
        if name in CLASSES:
            return CLASSES[name]
        if self._is_spm:
            return "siglip"
        kind = read_tokenizer(self.path).get("model", {}).get("type")
        return "siglip2" if kind == "BPE" else "siglip"

    def write(self, target: Path, rows: int) -> int:
        """Write tokenizer.json for a table of `rows` tokens; returns the id of padding."""
        log.info("tokenizer from %s", self.path)
        end, pad = self._token("eos_token", END), self._token("pad_token", PAD)
        if self._is_spm:
            content = json.loads(_from_spm(read_sentencepiece(self.path), end).to_str())
        else:
            content = read_tokenizer(self.path)
            own = [content["normalizer"]] if content.get("normalizer") else []
            content["normalizer"] = {
                "type": "Sequence",
                "normalizers": [*self._canonicalisation(), *own],
            }
        if self.architecture == "siglip2":
            _match_lowered(content)
        content["post_processor"] = _end_of_text(content, end, self.path)
        tokenizer = save_tokenizer(content, self.path, target, rows)
        if (pad_id := tokenizer.token_to_id(pad)) is None:
            raise ExportError(f"{self.path} has no token {pad}, with which texts are padded")
        return pad_id

    def _token(self, key: str, default: dict[str, str]) -> str:
        token = self.settings.get(key)
        token = token.get("content") if isinstance(token, dict) else token
        return token if isinstance(token, str) else default[self.architecture]

    def _canonicalisation(self) -> list[dict]:
        if self.architecture == "siglip2":
            return [{"type": "Lowercase"}]
        return json.loads(_canonicalisation().__getstate__())["normalizers"]


def _canonicalisation() -> normalizers.Sequence:
    """As SiglipTokenizer.tokenize and canonicalize_text.

    The ▁ that begins a text is put there before the rest, as they do: of leading white space one ▁
    more may remain. They begin only the text with it, this begins each part between special tokens.
    """
    return normalizers.Sequence(
        [
            normalizers.Replace(SPACE, " "),
            normalizers.Prepend(SPACE),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(PUNCTUATION), ""),
            normalizers.Replace(Regex(WHITE), " "),
            normalizers.Strip(),
        ]
    )


def _from_spm(model: SentencePieceModel, end: str) -> Tokenizer:
    """As SiglipTokenizer uses the model: without its dummy prefix."""
    unigram = Unigram(_scores(model), unk_id=model.unk_id, byte_fallback=model.byte_fallback)
    tokenizer = Tokenizer(unigram)
    tokenizer.normalizer = normalizers.Sequence([_canonicalisation(), *_sentencepiece(model)])
    tokenizer.decoder = decoders.Metaspace(SPACE, prepend_scheme="first", split=False)
    tokenizer.add_special_tokens(
        [
            AddedToken(token, lstrip=True, rstrip=True, normalized=False, special=True)
            for token in (end, UNKNOWN)
        ]
    )
    return tokenizer


def _sentencepiece(model: SentencePieceModel) -> list[normalizers.Normalizer]:
    """The library's own normalisation."""
    steps = []
    if "nfkc" in model.normalization:
        # Precompiled joins no more than 5 bytes: Hangul in single letters is composed before.
        steps.append(normalizers.NFC())
    if model.charsmap:
        steps.append(normalizers.Precompiled(model.charsmap))
    if model.remove_extra_whitespaces:
        steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    steps.append(normalizers.Replace(" ", SPACE))
    if model.remove_extra_whitespaces:
        steps.append(normalizers.Replace(Regex(f"{SPACE}+$"), ""))
    return steps


def _scores(model: SentencePieceModel) -> list[tuple[str, float]]:
    """Scores under which a unigram model without kinds of pieces takes the same path.

    SentencePiece never makes control or unused pieces out of text, and prefers user-defined ones.
    """
    normal = [score for _, score, kind in model.pieces if kind == Kind.NORMAL]
    never, highest = min(normal, default=0.0) - OUT_OF_REACH, max(normal, default=0.0)
    scores = []
    for piece, score, kind in model.pieces:
        if kind in (Kind.CONTROL, Kind.UNUSED, Kind.UNKNOWN):
            score = never
        elif kind == Kind.USER_DEFINED:
            score = len(piece.encode()) * highest - 0.1
        scores.append((piece, score))
    return scores


def _match_lowered(content: dict) -> None:
    """Let tokens with letters (`<table>`) be found in the lowered text, as in the reference."""
    for token in content.get("added_tokens", []):
        text = token["content"]
        if not token["special"] and text == text.lower() != text.upper():
            token["normalized"] = True


def _end_of_text(content: dict, end: str, path: Path) -> dict:
    """The post-processor `$A end`."""
    tokenizer = Tokenizer.from_str(json.dumps(content | {"post_processor": None}))
    end_id = tokenizer.token_to_id(end)
    if end_id is None:
        raise ExportError(f"{path} has no token {end}, which ends a text")

    def sequence(name: str) -> dict:
        return {"Sequence": {"id": name, "type_id": 0}}

    special = {"SpecialToken": {"id": end, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [sequence("A"), special],
        "pair": [sequence("A"), special, sequence("B"), special],
        "special_tokens": {end: {"id": end, "ids": [end_id], "tokens": [end]}},
    }
