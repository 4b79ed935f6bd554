"""A fixed number of predictions by one model that is split over all ranks with ZeRO-3.

The work is cut into parts, each computed by one rank and then a file of its own, so that the same command goes on where
it was stopped, at any number of ranks, and the result is the same.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

import deepspeed
import torch
import torch.distributed as dist
from deepspeed.accelerator import get_accelerator
from model import CONTEXT, load
from torch import Tensor

PROMPT_BYTES = 16
LOST_PEER, STOPPED, BAD_CONFIGURATION = 74, 75, 78
LOST = ("Connection closed by peer", "Connection reset", "imed out", "imeout", "Broken pipe", "No route to host")


class ConfigurationError(Exception):
    """A mistake that no restart mends, in a sentence."""


def say(event: str, **facts: object) -> None:
    """One JSON line in one write, so that ranks' lines never mix."""
    os.write(1, (json.dumps({"event": event, **facts}) + "\n").encode())


class Arguments(argparse.ArgumentParser):
    """Mistakes in arguments are configuration errors: nobody should run them again."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise ConfigurationError(message)


def arguments() -> argparse.Namespace:
    parser = Arguments(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("/output"), help="folder that all ranks share")
    parser.add_argument("--predictions", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=12, help="length of a prediction")
    parser.add_argument("--part-size", type=int, default=8, help="predictions of one file, computed as one batch")
    parser.add_argument("--step-seconds", type=float, default=0.0, help="least time of a round")
    parser.add_argument("--hang-seconds", type=float, default=60.0, help="a round that takes longer is a lost peer")
    options = parser.parse_args()
    for name, most in (("predictions", 10**8), ("new_tokens", CONTEXT - PROMPT_BYTES), ("part_size", 10**4)):
        if not 1 <= (found := getattr(options, name)) <= most:
            parser.error(f"--{name.replace('_', '-')}: found {found}; expected 1 to {most}")
    if not options.output.is_dir() or not os.access(options.output, os.W_OK | os.X_OK):
        parser.error(f"--output: found {options.output}; expected a folder that can be written")
    return options


class Output:
    """The folder of results: a file for each finished part, and in the end one with all predictions."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._folder, self._predictions = options.output, options.predictions
        self._part_size, self._new_tokens = options.part_size, options.new_tokens
        self.parts = -(-options.predictions // options.part_size)
        self.whole = self._folder / "predictions.jsonl"

    def ids(self, part: int) -> range:
        first = part * self._part_size
        return range(first, min(first + self._part_size, self._predictions))

    def path(self, part: int) -> Path:
        return self._folder / f"part-{part:05}.jsonl"

    def missing(self) -> list[int]:
        """Parts that are still to do, none when the whole is there. Raises ConfigurationError for other files."""
        if self.whole.exists():
            self._check(self.whole, range(self._predictions))
            return []
        paths = {self.path(part): part for part in range(self.parts)}
        found = set(self._folder.glob("part-*.jsonl"))
        for path in sorted(found):
            self._check(path, self.ids(paths[path]) if path in paths else range(0))
        return [part for path, part in paths.items() if path not in found]

    def write(self, part: int, predictions: Sequence[Sequence[int]]) -> None:
        rows = ({"id": one, "tokens": tokens} for one, tokens in zip(self.ids(part), predictions, strict=True))
        self._put(self.path(part), (json.dumps(row) + "\n" for row in rows))

    def join(self) -> None:
        self._put(self.whole, (self.path(part).read_text() for part in range(self.parts)))

    def sha256(self) -> str:
        with self.whole.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @staticmethod
    def _put(path: Path, texts: Iterable[str]) -> None:
        """A file is there whole or not at all, whenever the machine stops."""
        draft = path.with_name(path.name + ".tmp")
        with draft.open("w") as file:
            file.writelines(texts)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _check(self, path: Path, ids: range) -> None:
        try:
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            found = [(row["id"], len(row["tokens"])) for row in rows]
        except (ValueError, KeyError, TypeError):
            found = None
        if not ids or found != [(one, self._new_tokens) for one in ids]:
            expected = "no such file"
            if ids:
                expected = f"predictions {ids.start} to {ids.stop - 1} of {self._new_tokens} tokens"
            raise ConfigurationError(
                f"{path}: found what another command left; expected {expected}: empty the folder, or name another one"
            )


class Pulse:
    """Ends the process when no round ended for a while: a lost network leaves collectives waiting for many minutes."""

    def __init__(self, limit: float) -> None:
        self._limit, self._last = limit, time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    def beat(self) -> None:
        self._last = time.monotonic()

    def end(self) -> None:
        self._limit = float("inf")

    def _watch(self) -> None:
        while time.monotonic() - self._last < self._limit:
            time.sleep(1)
        print(f"PeerLostError: no round ended for {self._limit:.0f} s", file=sys.stderr, flush=True)
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


def agreed_work(output: Output) -> list[int]:
    """The parts to do, as rank 0 finds them: shared folders may show each node another moment."""
    found: list[list[int] | ConfigurationError] = [[]]
    if dist.get_rank() == 0:
        try:
            found = [output.missing()]
        except ConfigurationError as error:
            found = [error]
    dist.broadcast_object_list(found)
    if isinstance(found[0], ConfigurationError):
        dist.barrier()
        raise found[0]
    return found[0]


def prompts(ids: range) -> Tensor:
    """Token ids of prompts, which stand for yours; here bytes that depend on the prompt's number alone."""
    return torch.tensor([list(hashlib.sha256(b"%d" % one).digest()[:PROMPT_BYTES]) for one in ids])


@torch.no_grad()
def generate(engine: deepspeed.DeepSpeedEngine, rows: Tensor, new_tokens: int) -> list[list[int]]:
    """The likeliest tokens. All ranks must call it equally often: each forward gathers the weights from all of them."""
    for _ in range(new_tokens):
        rows = torch.cat([rows, engine(rows).argmax(-1, keepdim=True)], 1)
    return rows[:, PROMPT_BYTES:].tolist()


def compute(options: argparse.Namespace, output: Output, work: list[int]) -> None:
    """Finish these parts, in rounds of one part per rank; ends the process when a rank is asked to stop."""
    engine, rank, world = load(), dist.get_rank(), dist.get_world_size()
    limit_groups(options.hang_seconds)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pulse, parameters = Pulse(options.hang_seconds), list(engine.module.parameters())
    held, total = sum(one.ds_tensor.numel() for one in parameters), sum(one.ds_numel for one in parameters)
    say("model", rank=rank, parameters=total, held=held)
    for first in range(0, len(work), world):
        began = time.monotonic()
        turn = work[first : first + world]
        # In the last round a rank without a part does another's again, and drops it.
        part = turn[rank % len(turn)]
        predictions = generate(engine, prompts(output.ids(part)).to(engine.device), options.new_tokens)
        if rank < len(turn):
            output.write(part, predictions)
        # One rank's wish to stop becomes everybody's: the next round needs all of them.
        wish = torch.tensor([float(stop.is_set())], device=engine.device)
        dist.all_reduce(wish, op=dist.ReduceOp.MAX)
        if rank == 0:
            for part in turn:
                if not (path := output.path(part)).exists():
                    raise ConfigurationError(f"--output: found no {path}; expected a folder that all ranks share")
                say("part", part=part, of=output.parts)
        if wish.item():
            dist.barrier()
            os._exit(STOPPED)
        pulse.beat()
        time.sleep(max(0.0, options.step_seconds - (time.monotonic() - began)))
    pulse.end()
    engine.destroy()


def predict(options: argparse.Namespace) -> None:
    start, output = time.monotonic(), Output(options)
    skip_cpu_jit()
    get_accelerator().set_device(int(os.environ["LOCAL_RANK"]))
    deepspeed.init_distributed(verbose=False)
    rank = dist.get_rank()
    say(
        "env",
        rank=rank,
        local_rank=int(os.environ["LOCAL_RANK"]),
        world_size=dist.get_world_size(),
        master_addr=os.environ["MASTER_ADDR"],
        master_port=int(os.environ["MASTER_PORT"]),
    )
    work = agreed_work(output)
    if rank == 0 and 0 < len(work) < output.parts:
        say("resumed", parts=output.parts - len(work), of=output.parts)
    if work:
        compute(options, output, work)
    dist.barrier()
    dist.destroy_process_group()
    if rank == 0:
        if output.whole.exists():
            say("complete", file=str(output.whole))
        else:
            output.join()
        seconds = round(time.monotonic() - start, 3)
        say("done", predictions=options.predictions, sha256=output.sha256(), seconds=seconds)


def main() -> None:
    try:
        predict(arguments())
    except ConfigurationError as error:
        print(f"ConfigurationError: {error}", file=sys.stderr, flush=True)
        os._exit(BAD_CONFIGURATION)
    except RuntimeError as error:
        if any(text in str(error) for text in LOST):
            print(f"PeerLostError: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
            os._exit(LOST_PEER)
        raise


if __name__ == "__main__":
    main()
