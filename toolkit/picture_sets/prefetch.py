"""Decode the next pictures in threads while one is in use, in order and with little memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def pixels_ahead(items: Any, places: Sequence[int]) -> Iterator[Tensor]:
    """Yield the pixel_values (3, H, W) of items.

    A large photo takes longer to decode than a graphics card takes to encode it.

    Args:
        items: Has ``items[place] == (pixel_values, caption)``, also for several threads at once.
        places: Which items, in this order.
    """
    workers = os.cpu_count() or 1
    waiting: deque[Future[tuple[Tensor, str]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for place in places:
                waiting.append(pool.submit(items.__getitem__, place))
                if len(waiting) > workers:  # no more are kept than are being decoded
                    yield waiting.popleft().result()[0]
            while waiting:
                yield waiting.popleft().result()[0]
        finally:
            pool.shutdown(cancel_futures=True)
