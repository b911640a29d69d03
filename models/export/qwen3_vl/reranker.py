"""A Qwen3-VL-Reranker checkpoint: the embedder's graphs, but a logit in the place of a vector.

After the reference code (QwenLM/Qwen3-VL-Embedding): how far the language model, having read the
pair, would rather answer "yes" than "no".
"""

from tokenizers import Tokenizer

from export.errors import ExportError
from export.family import Identity, Options
from export.huggingface import license_of
from export.manifest import Value
from export.qwen3_vl.heads import relevance_head, rows_at
from export.qwen3_vl.model import Qwen3VLModel
from export.qwen3_vl.text import Head
from export.spec import ModelSpec
from export.weights import Weights

ARCHITECTURE = "qwen3_vl_reranker"
PAIR = (
    "<|im_start|>system\n"
    "Judge whether the Document meets the requirements based on the Query and the Instruct"
    ' provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n"
    "<Instruct>: {instruction}<Query>:{query}\n<Document>:{document}<|im_end|>\n"
    "<|im_start|>assistant\n"
)
INSTRUCTION = "Given a search query, retrieve relevant candidates that answer the query."
MAX_TOKENS = 10240
ANSWERS = ("yes", "no")
LM_HEAD = "lm_head.weight"
# Under which the classes of transformers' versions keep it.
LM_HEAD_PREFIXES = ("", "language_model.", "model.")


class Qwen3VLReranker(Qwen3VLModel):
    """A reranker: a vision graph, a text graph and a tokenizer."""

    def identity(self) -> Identity:
        """What must agree with a catalog entry."""
        return {
            "architecture": ARCHITECTURE,
            "layers": self.config.text.layers,
            "hidden": self.config.text.hidden,
            "vocabulary": self.config.text.vocabulary,
            "patch_size": self.config.vision.patch,
        }

    def derive(self, name: str, options: Options) -> ModelSpec:
        """Prompt and limits of Qwen3-VL-Reranker."""
        if options.prompts or options.pooling:
            what = "prompts for queries or documents" if options.prompts else "choice of pooling"
            raise ExportError(f"a reranker has no {what}")
        return ModelSpec(
            name=name,
            architecture=ARCHITECTURE,
            max_tokens=min(MAX_TOKENS, self.config.text.positions),
            activation="sigmoid",
            prompts={"pair": PAIR, "instruction": INSTRUCTION},
            license=license_of(self.source.folder),
            source=self.source.name,
        )

    def head(self, _spec: ModelSpec, tokenizer: Tokenizer) -> Head:
        """The difference of the two answers' rows in the language model's head."""
        ids = [tokenizer.token_to_id(answer) for answer in ANSWERS]
        for answer, index in zip(ANSWERS, ids, strict=True):
            if index is None:
                raise ExportError(
                    f"the tokenizer has no token {answer!r}, one of a reranker's two answers"
                )
        yes, no = rows_at(*self._answers(), ids)
        return relevance_head(yes - no)

    def _answers(self) -> tuple[Weights, str]:
        """The table that a token's logit is read from: its own, or that of the embeddings."""
        whole = self.source.weights
        if whole.has(LM_HEAD_PREFIXES, LM_HEAD):
            return whole.below(LM_HEAD_PREFIXES, LM_HEAD, "language-model head"), LM_HEAD
        # transformers goes by the text's; either may be left out
        config = self.source.config
        ties = [part.get("tie_word_embeddings") for part in (config["text_config"], config)]
        if False in ties and True not in ties:
            raise ExportError(
                f"the checkpoint has no {LM_HEAD}, which tells a reranker's yes from its no,"
                " and its config.json has tie_word_embeddings false"
            )
        return self.text, "embed_tokens.weight"

    def image(self) -> dict[str, Value]:
        """The manifest's [image]; there are no dimensions to tell the size of a feature."""
        return super().image() | {"feature_size": self.config.text.hidden}
