"""The model that predicts: a byte-level GPT, split over all ranks. Put your own torch code here."""

import zlib

import deepspeed
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, WIDTH, HEADS, LAYERS, CONTEXT = 256, 128, 4, 4, 128
CONFIG = {
    "train_micro_batch_size_per_gpu": 1,
    # Threshold 0: small parameters are split too. https://www.deepspeed.ai/docs/config-json/
    "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0},
}


def norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x, (WIDTH,))


class Block(nn.Module):
    """One transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        y = norm(x)
        q, k, v = (layer(y).view(batch, length, HEADS, -1).transpose(1, 2) for layer in (self.q, self.k, self.v))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, -1))
        return x + self.down(functional.gelu(self.up(norm(x))))


class Gpt(nn.Module):
    """Scores of the token that follows each row of token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.size(1), device=ids.device))
        for block in self.blocks:
            x = block(x)
        return self.head(norm(x[:, -1]))


def stored(name: str, shape: torch.Size) -> Tensor:
    """One tensor of the stored model; here seeded by its name.

    From a file of safetensors it is `safe_open(file, "pt").get_tensor(name)`, which reads no other tensor:
    https://huggingface.co/docs/safetensors/index
    """
    random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randn(shape, generator=random) * shape[-1] ** -0.5


def load() -> deepspeed.DeepSpeedEngine:
    """Every rank keeps its share of every parameter; whole, there is never more than one of them."""
    with deepspeed.zero.Init(config_dict_or_path=CONFIG):
        model = Gpt()
    for name, parameter in model.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
            if dist.get_rank() == 0:
                parameter.data.copy_(stored(name, parameter.shape))
    engine, *_ = deepspeed.initialize(model=model, config=CONFIG)
    engine.eval()
    return engine
