"""Reranking as a careful Python program does it: tokenizers, onnxruntime, and numpy behind them."""

from pathlib import Path

import numpy as np
from bare import Bare
from tokenizers import Encoding


class LateInteraction(Bare):
    """MaxSim over the token states of an encoder (Khattab and Zaharia 2020)."""

    def scores(self, query: str, candidates: list[str]) -> np.ndarray:
        """Mean over the query's tokens of the largest cosine, float64 [candidates]."""
        [asked], own = self._encode("query", [query])
        tokens = self._states([asked.ids])[0][own[0]]
        tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
        encoded, own = self._encode("document", candidates)
        scores = np.empty(len(candidates))
        for batch in self.batches([len(one.ids) for one in encoded]):
            states = self._states([encoded[n].ids for n in batch])
            for n, rows in zip(batch, states, strict=True):
                rows = rows[: len(own[n])][own[n]]
                rows /= np.linalg.norm(rows, axis=1, keepdims=True)
                scores[n] = (tokens @ rows.T).max(axis=1).mean()
        return scores

    def _encode(self, task: str, texts: list[str]) -> tuple[list[Encoding], list[np.ndarray]]:
        """Encodings, and which tokens are the text's own: neither special nor the prompt's."""
        prompt = self.manifest["prompts"][task]
        encoded = self.tokenizer.encode_batch([prompt + text for text in texts])
        own = []
        for one in encoded:
            ends = np.array([end for _, end in one.offsets])
            own.append((ends > len(prompt)) & (np.array(one.special_tokens_mask) == 0))
        return encoded, own

    def _states(self, ids: list[list[int]]) -> np.ndarray:
        padded, mask = self.padded(ids, max(map(len, ids)))
        feed = {"input_ids": padded, "attention_mask": mask}
        return self.run("model.onnx", ["token_embeddings"], feed)[0]


class CrossEncoder(Bare):
    """Query and candidate in one sequence; the graphs of BERT's kind, which take type ids."""

    def scores(self, query: str, candidates: list[str]) -> np.ndarray:
        """Logits, float32 [candidates]: the activation must be the identity."""
        limit = self.manifest["max_tokens"]
        self.tokenizer.enable_truncation(limit, strategy="longest_first")
        encoded = self.tokenizer.encode_batch([(query, text) for text in candidates])
        scores = np.empty(len(candidates), np.float32)
        for batch in self.batches([len(one.ids) for one in encoded]):
            members = [encoded[n] for n in batch]
            length = max(len(one.ids) for one in members)
            ids, mask = self.padded([one.ids for one in members], length)
            types = np.zeros_like(ids)
            for row, one in zip(types, members, strict=True):
                row[: len(one.type_ids)] = one.type_ids
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            scores[batch] = self.run("model.onnx", ["logits"], feed)[0][:, 0]
        return scores


def open_reranker(
    directory: Path, manifest: dict, threads: int, batch_tokens: int
) -> LateInteraction | CrossEncoder:
    """By the manifest's architecture."""
    is_cross = manifest["architecture"] == "cross-encoder"
    return (CrossEncoder if is_cross else LateInteraction)(
        directory, manifest, threads, batch_tokens
    )
