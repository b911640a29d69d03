"""Writes model directories (graph, tokenizer, manifest) from checkpoints; models/README.md."""
