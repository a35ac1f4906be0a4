"""Quick simulations, in processes of their own: one integrates, one compiles, so that a new model keeps nobody waiting who has one."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from mesotrial.app.bounds import Refused

__all__ = ["Laboratory"]

_MOST_WAITING = 40
_SECONDS = {"quick": 60.0, "slow": 900.0}  # compiling may have to share the machine with runs

P = ParamSpec("P")
R = TypeVar("R")


class Laboratory:
    """Two bounded pools of one process each."""

    def __init__(self) -> None:
        """Prepare; processes start with `start`."""
        self._pools: dict[str, Executor] = {}
        self._waiting = 0
        self._ready: dict[tuple[str, ...], asyncio.Future[None]] = {}

    def start(self) -> None:
        """Start the processes."""
        self._pools = {name: _pool() for name in ("quick", "slow")}
        self._ready = {}

    def stop(self) -> None:
        """End the processes."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self._pools = {}

    async def quick(self, function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
        """Run a function of a module in the process that integrates, and return its answer.

        Raises `Refused` where too many wait, it takes too long, or the process ended.
        """
        return await self._ask("quick", function, *arguments, **options)

    async def once(
        self, key: tuple[str, ...], function: Callable[P, R], *arguments: P.args, **options: P.kwargs
    ) -> None:
        """Run a function in the process that compiles, once for each key; who asks meanwhile waits for the same answer."""
        held = self._ready.get(key)
        if held is None:
            self._ready[key] = held = asyncio.get_running_loop().create_future()
            try:
                await self._ask("slow", function, *arguments, **options)
                held.set_result(None)
            except BaseException as error:
                del self._ready[key]
                held.set_exception(error if isinstance(error, Exception) else Refused("interrupted", status=503))
                held.exception()  # nobody else may be waiting for it
                raise
        await asyncio.shield(held)

    async def _ask(self, name: str, function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
        if self._waiting >= _MOST_WAITING:
            raise Refused("too many simulations wait at this moment; please try again", status=503)
        self._waiting += 1
        try:
            future = self._pools[name].submit(function, *arguments, **options)
            return await asyncio.wait_for(asyncio.wrap_future(future), _SECONDS[name])
        except BrokenProcessPool:
            self._pools[name] = _pool()
            raise Refused("the simulation ended unexpectedly; please try again", status=503) from None
        except TimeoutError:
            self._pools[name].shutdown(wait=False, cancel_futures=True)
            self._pools[name] = _pool()
            raise Refused("the simulation took too long", status=503) from None
        finally:
            self._waiting -= 1


def _pool() -> Executor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_settle)


def _settle() -> None:
    """Leave Ctrl-C to the server, which ends these processes itself, and end when the server was killed and cannot."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
