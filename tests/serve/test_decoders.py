"""A film that ends its decoder costs itself only, and whoever leaves does not keep one."""

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest

from cxrbench.serve.decoders import Decoders
from cxrbench.serve.refusals import Refusal


async def answered_again(decoders, content=b"again"):
    """The next answer; a film that comes before the death was noticed, or a decoder is free, is refused."""
    for _ in range(100):
        with suppress(Refusal):
            return await decoders.run(bytes, content)
        await asyncio.sleep(0.1)
    return None


def test_a_decoder_that_dies_is_replaced():
    async def scenario():
        decoders = Decoders(1, seconds=3)
        try:
            with pytest.raises(Refusal, match="truncated PNG") as refused:
                await decoders.run(str, "truncated PNG")
            assert refused.value.status == 422
            for deadly in ((os.abort,), (time.sleep, 60)):  # a crash, and the alarm
                with pytest.raises(Refusal, match="more than 3 s, or crashed"):
                    await decoders.run(*deadly)
                assert await answered_again(decoders, b"next") == b"next"
            leaving = asyncio.ensure_future(decoders.run(time.sleep, 0.5))
            await asyncio.sleep(0.1)
            leaving.cancel()
            assert await answered_again(decoders, b"after") == b"after"
            os.kill(await decoders.run(os.getpid), signal.SIGKILL)  # while it waits: nobody's film did it
            assert await answered_again(decoders) == b"again"
            assert decoders.is_ready
        finally:
            decoders.close()

    asyncio.run(scenario())


def test_no_free_decoder_is_said_in_time():
    async def scenario():
        decoders = Decoders(1, seconds=1)
        try:
            await decoders._free.get()  # a film that takes long has the only one
            with pytest.raises(Refusal, match="no decoder was free within 1 s") as refused:
                await decoders.run(bytes, b"late")
            assert refused.value.status == 503
        finally:
            decoders.close()

    asyncio.run(scenario())
