"""Measure what the fabric gives to the collectives that training uses, and check every one of their results."""

import argparse
import json
import os
import re
import signal
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
CPU_SIZES, GPU_SIZES = "1KiB,1MiB,16MiB", "1MiB,16MiB,256MiB,1GiB"
LOST_PEER, STOPPED, BAD_CONFIGURATION = 74, 75, 78
LOST = ("Connection closed by peer", "Connection reset", "imed out", "imeout", "Broken pipe", "No route to host")
PERIOD = 1021


def say(event: str, **facts: object) -> None:
    """One JSON line in one write, so that ranks' lines never mix."""
    os.write(1, (json.dumps({"event": event, **facts}) + "\n").encode())


class Arguments(argparse.ArgumentParser):
    """Mistakes in arguments are configuration errors: nobody should run them again."""

    def error(self, message: str) -> None:  # type: ignore[override]
        print(f"ConfigurationError: {message}", file=sys.stderr, flush=True)
        sys.exit(BAD_CONFIGURATION)


def sizes(text: str) -> list[int]:
    found = [re.fullmatch(r"([1-9]\d*)(B|KiB|MiB|GiB)", part.strip()) for part in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"found {text!r}; expected sizes such as 1KiB,16MiB,1GiB")
    return [int(part[1]) * UNITS[part[2]] for part in found if part]


def arguments(world: int) -> argparse.Namespace:
    parser = Arguments(description=__doc__)
    default = GPU_SIZES if torch.cuda.is_available() else CPU_SIZES
    parser.add_argument("--sizes", type=sizes, default=default, help="bytes per rank, as in nccl-tests")
    parser.add_argument("--warm-up", type=int, default=5, help="runs that don't count")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--floor", type=float, default=0.0, help="least busbw of all_reduce in GB/s; below it: exit 1")
    parser.add_argument("--hang-seconds", type=float, default=120.0, help="a collective that takes longer is lost")
    options = parser.parse_args()
    if options.iterations < 1 or options.warm_up < 0:
        parser.error("--iterations must be 1 or more, --warm-up 0 or more")
    if options.floor > 0 and world == 1:
        parser.error("--floor needs two ranks or more: one rank alone sends nothing")
    return options


class Buffers:
    """The four collectives over buffers of one size: what each is given, and what it must give.

    Element i of rank r's buffer is i modulo a prime, plus r: whole numbers, so that sums are exact in any order.
    """

    def __init__(self, count: int, device: torch.device, group: dist.ProcessGroup) -> None:
        self._share, self._device, self._group = count // dist.get_world_size(), device, group
        self._rank, self._world = dist.get_rank(), dist.get_world_size()

    def _part(self, rank: int, number: int, parts: int = 1) -> Tensor:
        """Consecutive parts of a rank's buffer, which has as many as there are ranks."""
        first, last = number * self._share, (number + parts) * self._share
        return (torch.arange(first, last, dtype=torch.int32, device=self._device) % PERIOD + rank).float()

    def _whole(self, rank: int) -> Tensor:
        return self._part(rank, 0, self._world)

    def _sum(self, part: Tensor) -> Tensor:
        """The sum over all ranks, from what rank 0 has."""
        return part * self._world + self._world * (self._world - 1) // 2

    def all_reduce(self) -> tuple[Callable[[], object], Tensor, Tensor]:
        result = self._whole(self._rank)
        return lambda: dist.all_reduce(result, group=self._group), result, self._sum(self._whole(0))

    def all_gather(self) -> tuple[Callable[[], object], Tensor, Tensor]:
        given = self._part(self._rank, self._rank)
        expected = torch.cat([self._part(rank, rank) for rank in range(self._world)])
        result = torch.zeros_like(expected)
        return lambda: dist.all_gather_single(result, given, group=self._group), result, expected

    def reduce_scatter(self) -> tuple[Callable[[], object], Tensor, Tensor]:
        given, expected = self._whole(self._rank), self._sum(self._part(0, self._rank))
        result = torch.zeros_like(expected)
        return lambda: dist.reduce_scatter_single(result, given, group=self._group), result, expected

    def all_to_all(self) -> tuple[Callable[[], object], Tensor, Tensor]:
        given = self._whole(self._rank)
        expected = torch.cat([self._part(rank, self._rank) for rank in range(self._world)])
        result = torch.zeros_like(expected)
        return lambda: dist.all_to_all_single(result, given, group=self._group), result, expected


def bus_factor(collective: str, world: int) -> float:
    """What makes the bandwidths of all collectives comparable with the hardware's.

    https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md
    """
    return (2 if collective == "all_reduce" else 1) * (world - 1) / world


def median_seconds(run: Callable[[], object], options: argparse.Namespace, device: torch.device) -> float:
    taken = []
    for _ in range(options.warm_up + options.iterations):
        began = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[options.warm_up :])


def measure(options: argparse.Namespace, device: torch.device, group: dist.ProcessGroup) -> str | None:
    """One line for each collective and size, then the best of each; returns what is wrong, the same on all ranks."""
    start, rank, world = time.monotonic(), dist.get_rank(), dist.get_world_size()
    best = dict.fromkeys(("all_reduce", "all_gather", "reduce_scatter", "all_to_all"), 0.0)
    for size in options.sizes:
        count = -(-size // (4 * world)) * world
        buffers = Buffers(count, device, group)
        for collective in best:
            run, result, expected = getattr(buffers, collective)()
            run()
            right = torch.equal(result, expected)
            result.zero_()
            # The slowest rank's time counts, and one rank's wrong result.
            worst = torch.tensor([median_seconds(run, options, device), not right], device=device, dtype=torch.float64)
            dist.all_reduce(worst, op=dist.ReduceOp.MAX, group=group)
            seconds, wrong = worst.tolist()
            if wrong:
                return f"WrongResultError: {collective} of {4 * count} bytes gave a wrong result on some rank"
            algbw = 4 * count / seconds / 1e9
            busbw = algbw * bus_factor(collective, world)
            best[collective] = max(best[collective], busbw)
            if rank == 0:
                rounded = {"seconds": round(seconds, 9), "algbw": round(algbw, 4), "busbw": round(busbw, 4)}
                say("measured", collective=collective, bytes=4 * count, **rounded)
    if (found := best["all_reduce"]) < options.floor:
        return f"SlowFabricError: busbw of all_reduce is {found:.3f} GB/s at best; expected {options.floor:g} or more"
    if rank == 0:
        rates = {collective: round(busbw, 4) for collective, busbw in best.items()}
        seconds = round(time.monotonic() - start, 3)
        say("done", backend=dist.get_backend(), world=world, busbw=rates, seconds=seconds)
    return None


def bench(options: argparse.Namespace) -> str | None:
    device, backend = torch.device("cpu"), "gloo"
    if torch.cuda.is_available():
        device, backend = torch.device("cuda", int(os.environ["LOCAL_RANK"])), "nccl"
        torch.cuda.set_device(device)
    dist.init_process_group(backend)
    # Peers may come late: only this group has the short limit.
    group = dist.new_group(timeout=timedelta(seconds=options.hang_seconds))
    problem = measure(options, device, group)
    dist.barrier(group)
    dist.destroy_process_group()
    return problem


def main() -> None:
    options = arguments(int(os.environ["WORLD_SIZE"]))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(STOPPED))
    try:
        sys.exit(bench(options))
    except RuntimeError as error:
        if any(text in str(error) for text in LOST):
            print(f"PeerLostError: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
            os._exit(LOST_PEER)
        raise


if __name__ == "__main__":
    main()
