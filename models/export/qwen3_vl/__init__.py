"""Qwen3-VL as an embedding model: a vision graph and a text graph."""
