"""BERT-type encoders (BERT, XLM-RoBERTa) as ONNX: e5, MiniLM, KURE-v1 and their relatives.

Structure after Devlin et al. 2018 (arXiv:1810.04805) as in transformers' BertModel and
XLMRobertaModel: post-norm layers, absolute positions, erf GELU. The two differ in the position rule
alone. Fused com.microsoft operators are used where they were measured to be no slower than the
standard ones on a CPU: MultiHeadAttention, BiasGelu, MatMulNBits, GatherBlockQuantized.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto

from export.config import Section
from export.errors import ExportError
from export.graph import Graph
from export.linear import embedding, float_type, linear
from export.pooling import l2_normalize, pool
from export.spec import ModelSpec
from export.weights import Weights

log = logging.getLogger(__name__)

ARCHITECTURES = ("bert", "xlm-roberta")
WORDS = "embeddings.word_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"


@dataclass(frozen=True)
class EncoderConfig:
    """The numbers of config.json that shape the graph."""

    architecture: str
    hidden: int
    layers: int
    heads: int
    positions: int
    vocabulary: int
    pad_id: int
    epsilon: float

    @classmethod
    def from_dict(cls, config: dict) -> "EncoderConfig":
        """From config.json; refuses what this graph would compute wrongly."""
        section = Section(config)
        architecture = section.want("model_type", ARCHITECTURES)
        section.want("hidden_act", ("gelu",), "gelu")
        section.want("position_embedding_type", ("absolute",), "absolute")
        if config.get("is_decoder"):
            raise ExportError("is_decoder is not supported: a token sees those behind it, too")
        found = cls(
            architecture=architecture,
            hidden=section.count("hidden_size"),
            layers=section.count("num_hidden_layers"),
            heads=section.count("num_attention_heads"),
            positions=section.count("max_position_embeddings"),
            vocabulary=section.count("vocab_size"),
            pad_id=_pad_id(section, architecture),
            epsilon=section.number("layer_norm_eps"),
        )
        if found.hidden % found.heads:
            raise ExportError(
                f"config.json: hidden_size {found.hidden} is no multiple of {found.heads} heads"
            )
        if found.pad_id >= found.vocabulary:
            raise ExportError(f"config.json: pad_token_id {found.pad_id} is not in the vocabulary")
        if found.max_tokens() < 1:
            raise ExportError(f"config.json: {found.positions} positions leave none for a token")
        return found

    def max_tokens(self) -> int:
        """Longest sequence with a position for every token; XLM-R starts behind its pad id."""
        if self.architecture == "xlm-roberta":
            return self.positions - self.pad_id - 1
        return self.positions


def _pad_id(section: Section, architecture: str) -> int:
    """Absent, it is what transformers takes; null only where positions do not start behind it."""
    if architecture == "xlm-roberta":
        # `null` is no default here: the positions count from this id
        section = Section({"pad_token_id": 1} | section.content, section.place)
        return section.token("pad_token_id")
    return section.token("pad_token_id", 0)


class EncoderGraph:
    """Adds the encoder's layers to a graph; activations are `float_type(precision)`."""

    def __init__(self, graph: Graph, config: EncoderConfig, weights: Weights, precision: str):
        self.graph = graph
        self.config = config
        self.weights = weights
        self.precision = precision

    def embed_tokens(self, ids: str, types: str | None = None) -> str:
        """ids and types int64 [batch, sequence] → [batch, sequence, hidden], normalised."""
        words = embedding(self.graph, ids, self.weights, WORDS, self.precision)
        table = self.weights.dense("embeddings.position_embeddings.weight")
        if types is None:
            # Every token is of type 0: its row can be added to the positions once and for all.
            table = table + self.weights.dense(TYPES)[0]
        else:
            kinds = self.graph.op("Gather", [self._vector(TYPES), types], axis=0)
            words = self.graph.op("Add", [words, kinds])
        table = table.astype(float_type(self.precision), copy=False)
        positions = self.position_rows(ids, self.graph.weight("position_embeddings", table))
        return self.norm_of_sum(words, positions, "embeddings.LayerNorm")

    def position_rows(self, ids: str, table: str) -> str:
        """Rows of the position table: [sequence, hidden], with [batch, ..] before it for XLM-R."""
        graph = self.graph
        if self.config.architecture == "bert":
            length = graph.op("Slice", [graph.op("Shape", [ids]), *map(graph.ints, (1, 2))])
            return graph.op("Slice", [table, graph.ints(0), length, graph.ints(0)])
        # XLM-R counts from pad_id + 1 and leaves padding at pad_id, as transformers does in
        # create_position_ids_from_input_ids
        pad = graph.int_scalar(self.config.pad_id)
        used = graph.op("Not", [graph.op("Equal", [ids, pad])])
        used = graph.op("Cast", [used], to=TensorProto.INT64)
        count = graph.op("Mul", [graph.op("CumSum", [used, graph.int_scalar(1)]), used])
        return graph.op("Gather", [table, graph.op("Add", [count, pad])], axis=0)

    def encode(self, x: str, mask: str) -> str:
        """x [batch, sequence, hidden] and attention_mask int64 → the last layer's states."""
        padding = self.graph.op("Cast", [mask], to=TensorProto.INT32)
        for index in range(self.config.layers):
            log.info("layer %d of %d", index + 1, self.config.layers)
            x = self._layer(x, padding, f"encoder.layer.{index}")
        return x

    def _layer(self, x: str, padding: str, layer: str) -> str:
        attended = self._attention(x, padding, f"{layer}.attention.self")
        attended = self._biased(attended, f"{layer}.attention.output.dense")
        x = self.norm_of_sum(attended, x, f"{layer}.attention.output.LayerNorm")
        inner = self._linear(x, f"{layer}.intermediate.dense")
        bias = self._vector(f"{layer}.intermediate.dense.bias")
        inner = self.graph.contrib("BiasGelu", [inner, bias])
        outer = self._biased(inner, f"{layer}.output.dense")
        return self.norm_of_sum(outer, x, f"{layer}.output.LayerNorm")

    def _attention(self, x: str, padding: str, module: str) -> str:
        parts = [f"{module}.{part}" for part in ("query", "key", "value")]
        projected = [self._linear(x, part) for part in parts]
        bias = np.concatenate([self.weights.dense(f"{part}.bias") for part in parts])
        bias = self.graph.weight(
            f"{module}.bias", bias.astype(float_type(self.precision), copy=False)
        )
        return self.graph.contrib(
            "MultiHeadAttention", [*projected, bias, padding], num_heads=self.config.heads
        )

    def _linear(self, x: str, module: str) -> str:
        return linear(self.graph, x, self.weights, f"{module}.weight", self.precision)

    def _biased(self, x: str, module: str) -> str:
        return self.graph.op("Add", [self._linear(x, module), self._vector(f"{module}.bias")])

    def _vector(self, name: str) -> str:
        values = self.weights.dense(name).astype(float_type(self.precision), copy=False)
        return self.graph.weight(name, values)

    def norm_of_sum(self, x: str, residual: str, module: str) -> str:
        """LayerNorm(x + residual) with the weights of `module`."""
        # SkipLayerNormalization would do both, but its CPU kernel is several times slower.
        return self.graph.op(
            "LayerNormalization",
            [
                self.graph.op("Add", [x, residual]),
                self._vector(f"{module}.weight"),
                self._vector(f"{module}.bias"),
            ],
            axis=-1,
            epsilon=self.config.epsilon,
        )


def write_encoder(
    config: EncoderConfig, weights: Weights, spec: ModelSpec, precision: str, path: Path
) -> list[Path]:
    """Write the whole model: ids and mask → token_embeddings and sentence_embedding (README)."""
    graph = Graph(spec.name, path)
    ids = graph.input("input_ids", TensorProto.INT64, ["batch", "sequence"])
    mask = graph.input("attention_mask", TensorProto.INT64, ["batch", "sequence"])
    layers = EncoderGraph(graph, config, weights, precision)
    tokens = layers.encode(layers.embed_tokens(ids), mask)
    if precision == "fp16":
        tokens = graph.op("Cast", [tokens], to=TensorProto.FLOAT)
    sentence = pool(graph, tokens, mask, spec.pooling)
    if spec.normalize:
        sentence = l2_normalize(graph, sentence)
    shape = ["batch", "sequence", config.hidden]
    graph.output(tokens, "token_embeddings", TensorProto.FLOAT, shape)
    graph.output(sentence, "sentence_embedding", TensorProto.FLOAT, ["batch", config.hidden])
    return graph.save()
