"""Train a small GPT with ZeRO-3 on synthetic tokens; losses are the same at any number of ranks and after crashes."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import checkpoints
import deepspeed
import torch
import torch.distributed as dist
from deepspeed import DeepSpeedEngine
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, WIDTH, HEADS, LAYERS, CONTEXT = 256, 128, 4, 4, 64
CANT_SAVE, LOST_PEER, STOPPED, BAD_CONFIGURATION = 73, 74, 75, 78
LOST = ("Connection closed by peer", "Connection reset", "imed out", "imeout", "Broken pipe", "No route to host")


class Block(nn.Module):
    """One transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        y = self.ln1(x)
        q, k, v = (layer(y).view(batch, length, HEADS, -1).transpose(1, 2) for layer in (self.q, self.k, self.v))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, -1))
        return x + self.down(functional.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    """Next-token loss of a batch of token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.size(1), device=ids.device))
        for block in self.blocks:
            x = block(x)
        return functional.cross_entropy(self.head(self.ln(x)).flatten(0, 1).float(), targets.flatten())


def batch(step: int, samples: range) -> tuple[Tensor, Tensor]:
    """Inputs and targets that depend on step and sample index alone, so that the number of ranks changes nothing."""
    rows = []
    for sample in samples:
        random = torch.Generator().manual_seed(1_000_003 * step + sample)
        start = torch.randint(0, VOCABULARY, (1,), generator=random)
        stride = torch.randint(1, 5, (1,), generator=random)
        rows.append((start + stride * torch.arange(CONTEXT + 1)) % VOCABULARY)
    sequence = torch.stack(rows)
    return sequence[:, :-1].contiguous(), sequence[:, 1:].contiguous()


def say(event: str, **facts: object) -> None:
    """One JSON line in one write, so that ranks' lines never mix."""
    os.write(1, (json.dumps({"event": event, **facts}) + "\n").encode())


class Arguments(argparse.ArgumentParser):
    """Mistakes in arguments are configuration errors: nobody should run them again."""

    def error(self, message: str) -> None:  # type: ignore[override]
        print(f"ConfigurationError: {message}", file=sys.stderr, flush=True)
        sys.exit(BAD_CONFIGURATION)


def arguments() -> argparse.Namespace:
    parser = Arguments(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="DeepSpeed configuration")
    shared = Path(os.environ.get("MUSTER_CHECKPOINTS", "/checkpoints"))
    parser.add_argument("--checkpoints", type=Path, default=shared, help="folder that all ranks share")
    kept = int(os.environ.get("MUSTER_CHECKPOINTS_KEEP", "3"))
    parser.add_argument("--keep", type=int, default=kept, help="whole checkpoints that stay")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--save-every", type=int, default=10, help="steps between checkpoints")
    parser.add_argument("--step-seconds", type=float, default=0.0, help="least time of a step")
    parser.add_argument("--hang-seconds", type=float, default=60.0, help="a step that takes longer is a lost peer")
    return parser.parse_args()


class Pulse:
    """Ends the process when no step ended for a while: a lost network leaves collectives waiting for many minutes."""

    def __init__(self, limit: float) -> None:
        self._limit, self._last = limit, time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    def beat(self) -> None:
        self._last = time.monotonic()

    def _watch(self) -> None:
        while time.monotonic() - self._last < self._limit:
            time.sleep(1)
        print(f"PeerLostError: no step ended for {self._limit:.0f} s", file=sys.stderr, flush=True)
        os._exit(LOST_PEER)


def skip_cpu_jit() -> None:
    """Without a GPU DeepSpeed compiles a shared-memory operator at first use: 25 s, and a compiler in the image.

    https://github.com/deepspeedai/DeepSpeed/issues/7625
    """
    if os.environ.get("DS_ACCELERATOR") == "cpu":
        import deepspeed.comm.comm  # noqa: F401, PLC0415 - loads the module that is looked up by name

        sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None  # type: ignore[attr-defined]


def limit_groups(limit: float) -> None:
    """Give every process group a time limit: DeepSpeed makes its own groups with torch's default, 10 to 30 minutes."""
    from torch.distributed import distributed_c10d as c10d  # noqa: PLC0415 - private, used nowhere else

    for group in list(c10d._world.pg_map):
        with contextlib.suppress(RuntimeError):
            c10d._set_pg_timeout(timedelta(seconds=limit), group)


def choose(root: Path) -> tuple[str | None, bool]:
    """Tag of the last whole checkpoint, and whether another number of ranks wrote it; the same on all ranks."""
    chosen: list[tuple[str | None, bool]] = [(None, False)]
    if dist.get_rank() == 0:
        found, torn = checkpoints.find(root)
        for name, reason in torn.items():
            say("torn", checkpoint=name, reason=reason)
        if found is not None:
            resized = found.world_size != dist.get_world_size()
            if resized:
                say("converting", step=found.step, world_size=found.world_size, to=dist.get_world_size())
            chosen = [(checkpoints.universal(found) if resized else found.folder.name, resized)]
    dist.broadcast_object_list(chosen, src=0)
    return chosen[0]


def join() -> tuple[int, int]:
    """Meet the other ranks; this one's number and how many there are."""
    skip_cpu_jit()
    deepspeed.init_distributed(verbose=False)
    local_rank = int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank)
    rank, world = dist.get_rank(), dist.get_world_size()
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    say("env", rank=rank, local_rank=local_rank, world_size=world, master_addr=address, master_port=port)
    return rank, world


def build(config: dict[str, Any], root: Path) -> DeepSpeedEngine:
    """The engine, where its last whole checkpoint left it."""
    tag, resized = choose(root)
    config["checkpoint"] = {"load_universal": resized}
    torch.manual_seed(0)
    with deepspeed.zero.Init(config_dict_or_path=config):
        model = Gpt()
    engine, *_ = deepspeed.initialize(model=model, model_parameters=model.parameters(), config=config)
    if tag is not None:
        engine.load_checkpoint(str(root), tag=tag)
        if dist.get_rank() == 0:
            say("loaded", step=engine.global_steps)
    return engine


def save(engine: DeepSpeedEngine, root: Path, keep: int) -> None:
    """A whole checkpoint, written by all ranks."""
    step = engine.global_steps
    try:
        engine.save_checkpoint(str(root), tag=f"step{step}")
        if dist.get_rank() == 0:
            checkpoints.seal(root / f"step{step}", step, dist.get_world_size())
            checkpoints.prune(root, keep)
            say("saved", step=step)
    except (OSError, RuntimeError) as error:
        if is_lost(error):
            raise
        free = shutil.disk_usage(root).free // 1024**2
        reason = f"{str(error).splitlines()[0]}, {free} MiB are free"
        print(f"CheckpointError: step {step} can't be saved: {reason}", file=sys.stderr, flush=True)
        os._exit(CANT_SAVE)


def train(options: argparse.Namespace) -> None:
    config = json.loads(options.config.read_text())
    rank, world = join()
    micro, rest = divmod(config["train_batch_size"], world)
    if rest:
        print(f"ConfigurationError: train_batch_size must be a multiple of {world} ranks", file=sys.stderr, flush=True)
        # With a live process group an ordinary exit may end by SIGABRT instead.
        os._exit(BAD_CONFIGURATION)
    config["train_micro_batch_size_per_gpu"] = micro
    engine = build(config, options.checkpoints)
    limit_groups(options.hang_seconds)
    stop = torch.zeros(1, device=engine.device)
    signal.signal(signal.SIGTERM, lambda *_: stop.fill_(1))
    pulse, start, loss = Pulse(options.hang_seconds), time.monotonic(), None

    for step in range(engine.global_steps, options.steps):
        began = time.monotonic()
        ids, targets = batch(step, range(rank * micro, (rank + 1) * micro))
        output = engine(ids.to(engine.device), targets.to(engine.device))
        engine.backward(output)
        engine.step()
        mean = output.detach().clone()
        dist.all_reduce(mean)
        loss = mean.item() / world
        if rank == 0:
            say("step", step=step, of=options.steps, loss=round(loss, 6), world=world)
        # One rank's wish to stop becomes everybody's: a checkpoint needs all of them.
        wish = stop.clone()
        dist.all_reduce(wish, op=dist.ReduceOp.MAX)
        if wish.item() or engine.global_steps % options.save_every == 0 or engine.global_steps == options.steps:
            save(engine, options.checkpoints, options.keep)
        if wish.item():
            dist.barrier()
            os._exit(STOPPED)
        pulse.beat()
        time.sleep(max(0.0, options.step_seconds - (time.monotonic() - began)))
    if rank == 0:
        say("done", step=engine.global_steps, loss=loss, seconds=round(time.monotonic() - start, 3))
    engine.destroy()
    dist.barrier()
    dist.destroy_process_group()


def is_lost(error: Exception) -> bool:
    """Whether an error says that another rank is gone."""
    return any(text in str(error) for text in LOST)


def main() -> None:
    options = arguments()
    try:
        train(options)
    except RuntimeError as error:
        if is_lost(error):
            print(f"PeerLostError: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
            os._exit(LOST_PEER)
        raise


if __name__ == "__main__":
    main()
