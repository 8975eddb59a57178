"""A member that the library `websockets` makes: arguments are the WebSocket's address, the room, and the machine and
port to connect to if that is not the address's."""

import asyncio
import json
import sys
import urllib.parse

import websockets


async def talk(address, room, host=None, port=None):
    name = urllib.parse.urlsplit(address).hostname
    elsewhere = {"host": host, "port": int(port), "server_hostname": name} if host else {}
    async with websockets.connect(address, subprotocols=["snugd.v1"], **elsewhere) as socket:
        print("subprotocol", socket.subprotocol)

        async def send(**message):
            await socket.send(json.dumps(message, ensure_ascii=False))

        async def hear(kind):
            async for text in socket:
                message = json.loads(text)
                if message["type"] == kind and message.get("name") != "robin" or kind == "joined":
                    return message

        await send(type="join", room=room, name="robin")
        await hear("joined")
        await (await socket.ping())
        print("ponged")
        await send(type="message", text="grüße, ana")
        print("heard", (await hear("message"))["text"])
        await send(type="leave")
        await socket.wait_closed()
        print("closed", socket.close_code)


asyncio.run(talk(*sys.argv[1:]))
