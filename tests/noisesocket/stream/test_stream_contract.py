"""What trio asks of every stream, asked of NoiseStream."""

import pytest
import trio
import trio.testing

every_pattern = pytest.mark.parametrize("pattern", ["XX", "IK"])


@every_pattern
async def test_trio_s_checks_pass_with_the_handshake_done_beforehand(streams, carriers, pattern):
    async def make():
        return await streams.open_pair(await carriers(), pattern)

    async def make_clogged():
        return await streams.open_pair(trio.testing.lockstep_stream_pair(), pattern)

    await trio.testing.check_half_closeable_stream(make, make_clogged)


@every_pattern
async def test_trio_s_checks_pass_with_the_handshake_implied_by_the_first_use(streams, pattern):
    async def make():
        return streams.pair(trio.testing.memory_stream_pair(), pattern)

    await trio.testing.check_half_closeable_stream(make, None)
