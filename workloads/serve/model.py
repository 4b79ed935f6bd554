"""The model that is served: a byte-level GPT with seeded weights. Put your own torch code here."""

import deepspeed
import torch
from deepspeed.accelerator import get_accelerator
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, WIDTH, HEADS, LAYERS, CONTEXT = 256, 128, 4, 4, 256
PRINTABLE = range(32, 127)
# Which weights are split by their outputs and which by their inputs. https://www.deepspeed.ai/tutorials/autotp-training/
SHARES = [
    {"patterns": [r".*\.(q|k|v|up)\.weight$"], "partition_type": "column"},
    {"patterns": [r".*\.(out|down)\.weight$"], "partition_type": "row"},
]


class Block(nn.Module):
    """One transformer layer and its cache; it has as many heads as its share of the weights."""

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def allocate(self, slots: int) -> None:
        weight, size = self.q.weight, WIDTH // HEADS
        self.keys, self.values = (weight.new_zeros(slots, CONTEXT, len(weight) // size, size) for _ in range(2))

    def forward(self, x: Tensor, slots: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        y = self.ln1(x)
        q, k, v = (layer(y).view(*x.shape[:2], -1, WIDTH // HEADS) for layer in (self.q, self.k, self.v))
        self.keys[slots[:, None], positions], self.values[slots[:, None], positions] = k, v
        k, v = (cache[slots, : mask.size(-1)].transpose(1, 2) for cache in (self.keys, self.values))
        y = functional.scaled_dot_product_attention(q.transpose(1, 2), k, v, attn_mask=mask)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    """The next token of every row; only printable ASCII is ever chosen, so that any answer is text.

    A row is a slot of the cache, the position of its first new token, the number of new tokens, and these tokens,
    filled up at the right. Filling lands in the cache too, but no token looks at positions after its own, and the
    tokens that follow overwrite it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)

    @torch.no_grad()
    def forward(self, rows: Tensor) -> list[int]:
        reach, device = int(rows[:, 1].max()) + rows.size(1) - 3, self.head.weight.device
        rows = rows.to(device)
        slots, starts, counts, ids = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:]
        positions = starts[:, None] + torch.arange(ids.size(1), device=device)
        mask = torch.arange(reach, device=device) <= positions[:, None, :, None]
        x = self.tokens(ids) + self.positions(positions)
        for block in self.blocks:
            x = block(x, slots, positions, mask)
        scores = self.head(self.ln(x[torch.arange(len(rows), device=device), counts - 1]))
        return [PRINTABLE.start + best for best in scores[:, PRINTABLE.start : PRINTABLE.stop].argmax(-1).tolist()]


def load(world: int, slots: int) -> Gpt:
    """The same seeded weights on every rank, of which each keeps its share.

    Batches and shares change the order of sums. In float64 that is far too little to change which token is greatest.
    """
    torch.manual_seed(0)
    model = Gpt().eval()
    if world > 1:
        split = {"autotp_size": world, "partition_config": {"use_default_specs": False, "layer_specs": SHARES}}
        # deepspeed.init_inference would split too, but it needs transformers for any model.
        # https://github.com/deepspeedai/DeepSpeed/blob/v0.19.8/deepspeed/module_inject/auto_tp.py
        deepspeed.initialize(model=model, config={"train_micro_batch_size_per_gpu": 1, "tensor_parallel": split})
    model.to(get_accelerator().current_device_name(), torch.float64)
    for block in model.blocks:
        block.allocate(slots)
    return model
