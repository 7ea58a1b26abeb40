"""The ceiling: an aiosmtpd handler that does nothing but say 250. Prints its port, serves until killed."""

import asyncio

from aiosmtpd.smtp import SMTP, Envelope, Session


class Nothing:
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return "250 2.0.0 taken"


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Nothing(), hostname="bare.example", enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
