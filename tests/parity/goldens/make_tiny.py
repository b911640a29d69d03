"""Goldens of the tiny models by transformers and torch: python tests/parity/goldens/make_tiny.py

The reference shares only the weights with the fixtures: transformers' BertModel and XLMRobertaModel
run the same checkpoint in float64, and pooling and normalising are written here in torch, after
sentence-transformers' Pooling and Normalize. Needs torch, transformers, safetensors and tokenizers.
"""

import sys
import tempfile
from pathlib import Path

import torch
from rounding import rounded, versions, write
from tokenizers import Tokenizer
from transformers import AutoModel

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parents[1] / "fixtures"
sys.path.insert(0, str(FIXTURES))

from tiny_checkpoints import TINY_MODELS, Tiny, write_checkpoint

TEXTS = [
    "What is the sum of the interior angles of a hexagon?",
    "다음 중 이차방정식 $x^2 - 5x + 6 = 0$의 두 근의 합은?",
    "함수 $f(x)=\\sin x$의 최댓값을 구하시오.",
    "Photosynthesis converts light energy into chemical energy.",
    "a",
    "",
    "   앞뒤   공백이    많은 문장   ",
    "tabs\tand\nnew lines",
    "Café naïve ½ ① ＦＵＬＬ 👩\u200d👧",
    "\u1112\u1161\u11ab\u1100\u1173\u11af NFD",
    "<s> [CLS] </s> [SEP] <mask>",
    "far beyond the longest sequence of the model " * 12,
]


def pool(states: torch.Tensor, pooling: str) -> torch.Tensor:
    """One unpadded row [1, tokens, hidden] → [1, hidden]."""
    if pooling == "cls":
        return states[:, 0]
    if pooling == "lasttoken":
        return states[:, -1]
    return states.mean(dim=1)


def embed(tiny: Tiny, checkpoint: Path, task: str) -> torch.Tensor:
    """TEXTS → [texts, hidden], each text run alone, so that nothing depends on padding."""
    model = AutoModel.from_pretrained(checkpoint, add_pooling_layer=False).eval().double()
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.enable_truncation(tiny.max_tokens)
    rows = []
    with torch.no_grad():
        for text in TEXTS:
            ids = tokenizer.encode(tiny.prompts.get(task, "") + text).ids
            batch = torch.tensor([ids])
            states = model(input_ids=batch, attention_mask=torch.ones_like(batch)).last_hidden_state
            rows.append(pool(states, tiny.pooling))
    vectors = torch.cat(rows)
    return torch.nn.functional.normalize(vectors, dim=1) if tiny.normalize else vectors


def main() -> None:
    """Write tiny.json: models → name → task → one vector for each text."""
    models = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, tiny in TINY_MODELS.items():
            checkpoint = Path(scratch) / name
            write_checkpoint(name, checkpoint)
            tasks = {
                task: rounded(embed(tiny, checkpoint, task).numpy())
                for task in ("query", "document")
            }
            models[name] = {"normalized": tiny.normalize, **tasks}
    made_with = versions("torch", "transformers", "tokenizers")
    write(HERE / "tiny.json", {"made_with": made_with, "texts": TEXTS, "models": models})


if __name__ == "__main__":
    main()
