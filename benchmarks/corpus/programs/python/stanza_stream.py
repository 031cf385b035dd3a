"""A gateway from an XMPP room to a wall of screens: one stream of XML, open for as long as the gateway runs."""

import asyncio
import random
from collections import deque
from xml.etree.ElementTree import XMLPullParser

from traffic.shape import factor, load_name, seed

WORDS = "the gate for flight has changed please go to desk four and show your card to the agent there".split()


class Stream:
    """The stream's parser: gives a stanza for each element right below the root."""

    def __init__(self):
        self.parser, self.depth = XMLPullParser(("start", "end")), 0

    def stanzas(self, block):
        self.parser.feed(block)  # LEAK
        for event, element in self.parser.read_events():
            self.depth += 1 if event == "start" else -1
            if event == "end" and self.depth == 1:
                yield element


class Wall:
    """The last forty texts, and who is in the room."""

    def __init__(self):
        self.texts, self.present = deque(maxlen=40), {}

    def show(self, stanza):
        nick = stanza.get("from").partition("/")[2]
        if stanza.tag == "presence":
            self.present[nick] = stanza.findtext("status")
            if stanza.get("type") == "unavailable":
                del self.present[nick]
        else:
            self.texts.append(f"{nick}: {stanza.findtext('body')}")


def stanza(draw, number):
    """What the room sends."""
    nick = f"agent{draw.randrange(60)}"
    text = " ".join(draw.choices(WORDS, k=draw.randint(4, 60)))
    if draw.random() < 0.4:
        kind = " type='unavailable'" if draw.random() < 0.3 else ""
        return (
            f"<presence from='desk@rooms/{nick}' id='p{number}'{kind}><show>away</show><status>{text[:80]}</status>"
            f"<c node='client' ver='{number:x}' hash='sha-1'/><x><item role='member' jid='{nick}@home'/></x></presence>"
        )
    return (
        f"<message from='desk@rooms/{nick}' id='m{number}' type='groupchat'><body>{text}</body>"
        f"<html><p>{text}</p></html><delay stamp='{number}' by='desk@rooms'/><origin id='{number:032x}'/></message>"
    )


async def room(reader, writer):
    """The server's side."""
    draw, elapsed, number = random.Random(seed()), 0.0, 0
    writer.write(b"<stream>")
    while not writer.is_closing():
        wait = draw.expovariate(140 * factor(load_name(), elapsed, draw))
        elapsed, number = elapsed + wait, number + 1
        await asyncio.sleep(wait)
        writer.write(stanza(draw, number).encode())
        await writer.drain()


async def main():
    server = await asyncio.start_server(room, "127.0.0.1", 0)
    reader, _ = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    stream, wall = Stream(), Wall()
    while block := await reader.read(4096):
        for each in stream.stanzas(block):
            wall.show(each)


if __name__ == "__main__":
    asyncio.run(main())
