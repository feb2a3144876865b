"""A TCP proxy that stands before a broker's inter-broker listener and makes the way long.

    proxy LISTEN_HOST:PORT TARGET_HOST:PORT CONTROL_FILE

The control file holds "DELAY_MS JITTER_MS STALLED"; it is looked at ten times a second. Delay and jitter hold for each piece of bytes in each
direction, in order; STALLED of 1 lets connections stand with nothing going through (half-open for those who wait).
"""
import asyncio
import random
import sys

LOOK_SECONDS = 0.1
PIECE = 65536


class Way:
    delay, jitter, stalled = 0.0, 0.0, False

    @classmethod
    async def look(cls, path):
        while True:
            try:
                delay, jitter, stalled = open(path).read().split()
                cls.delay, cls.jitter, cls.stalled = float(delay) / 1000, float(jitter) / 1000, stalled == '1'
            except (OSError, ValueError):
                pass
            await asyncio.sleep(LOOK_SECONDS)


async def deliver(queue, writer):
    """To the end of the queue, also when nobody takes it any more: whoever fills it must not wait."""
    loop, broken = asyncio.get_running_loop(), False
    while True:
        due, piece = await queue.get()
        if piece is None and broken:
            return
        try:
            while not broken and (due > loop.time() or Way.stalled):
                await asyncio.sleep(max(0.0, due - loop.time()) or LOOK_SECONDS)
            if piece is None:
                writer.write_eof()
                return
            if not broken:
                writer.write(piece)
                await writer.drain()
        except OSError:
            broken = True
            writer.transport.abort()


async def pump(reader, writer):
    queue, loop, last = asyncio.Queue(64), asyncio.get_running_loop(), 0.0
    delivery = asyncio.ensure_future(deliver(queue, writer))
    try:
        piece = True
        while piece:
            try:
                piece = await reader.read(PIECE)
            except OSError:
                piece = b''
            last = max(last, loop.time() + Way.delay + random.random() * Way.jitter)
            await queue.put((last, piece or None))
        await delivery
    finally:
        delivery.cancel()


async def serve(target, reader, writer):
    try:
        there_reader, there_writer = await asyncio.open_connection(*target)
    except OSError:
        writer.close()
        return
    ways = [asyncio.ensure_future(pump(reader, there_writer)), asyncio.ensure_future(pump(there_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.transport.abort()
        there_writer.transport.abort()


async def main(listen, target, control):
    host, port = target.split(':')
    server = await asyncio.start_server(lambda r, w: serve((host, int(port)), r, w), *listen.split(':'))
    await asyncio.gather(server.serve_forever(), Way.look(control))


if __name__ == '__main__':
    asyncio.run(main(*sys.argv[1:]))
