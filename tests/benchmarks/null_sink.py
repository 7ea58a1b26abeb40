"""The smallest SMTP server there can be: takes everything, keeps nothing. Prints its port, serves until killed."""

import asyncio
import sys
from typing import cast

_REPLIES = {b"MAIL": b"250 2.1.0 ok\r\n", b"RCPT": b"250 2.1.5 ok\r\n", b"RSET": b"250 2.0.0 ok\r\n"}
_OFFERS = ("sink.example", "PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
_END = b"\r\n.\r\n"


class NullSink(asyncio.Protocol):
    """One connection."""

    def __init__(self, offers: tuple[str, ...]) -> None:
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        self._ehlo = "".join(f"{line}\r\n" for line in lines).encode()
        self._unread = b""
        self._in_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        replies = b""
        while (reply := self._next()) is not None:
            replies += reply
        self._transport.write(replies)

    def _next(self) -> bytes | None:
        if self._in_message:
            end = self._unread.find(_END)
            if end < 0:
                return None
            self._unread, self._in_message = self._unread[end + len(_END) :], False
            return b"250 2.0.0 taken\r\n"
        line, found, rest = self._unread.partition(b"\r\n")
        if not found:
            return None
        self._unread, verb = rest, line[:4].upper()
        if verb == b"DATA":
            self._in_message = True
            return b"354 go on\r\n"
        if verb == b"QUIT":
            self._transport.write(b"221 2.0.0 bye\r\n")
            self._transport.close()
            return None
        return _REPLIES.get(verb, self._ehlo if verb in (b"EHLO", b"HELO") else b"502 5.5.1 no\r\n")


async def serve(pipelining: bool) -> None:
    offers = tuple(offer for offer in _OFFERS if pipelining or offer != "PIPELINING")
    server = await asyncio.get_running_loop().create_server(lambda: NullSink(offers), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:] != ["plain"]))
