"""Qwen3-VL as an embedder or a reranker: a vision graph and a text graph."""
