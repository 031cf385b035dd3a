"""A forwarder of DNS with dnslib: answers are remembered as long as they are good, a thousand at most."""

import asyncio
import random
import time
from collections import OrderedDict

from dnslib import QTYPE, RR, A, DNSRecord
from traffic.shape import factor, load_name, seed

ANSWERS = 1000
SECONDS = (5, 30, 60, 60, 1440)


class Upstream(asyncio.DatagramProtocol):
    """The server that knows, as a stand-in on this machine."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        question = DNSRecord.parse(data)
        answer, name = question.reply(), question.q.qname
        number = sum(str(name).encode())
        for host in range(2 + number % 10):
            answer.add_answer(
                RR(name, QTYPE.A, rdata=A(f"10.{number % 256}.0.{host}"), ttl=SECONDS[number % 5])
            )
        self.transport.sendto(answer.pack(), address)


class Forwarder(asyncio.DatagramProtocol):
    """Asks upstream what it doesn't know; what was asked for last is at the end."""

    def __init__(self, upstream):
        self.upstream, self.answers, self.asking, self.hits = upstream, OrderedDict(), {}, 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        if address == self.upstream:
            return self.answered(data)
        question = DNSRecord.parse(data)
        known = self.answers.get(question.q.qname)
        if known is not None and known[0] > time.monotonic():
            self.hits += 1
            self.answers.move_to_end(question.q.qname)
            known[1].header.id = question.header.id
            self.transport.sendto(known[1].pack(), address)
        else:
            self.asking[question.header.id] = address
            self.transport.sendto(data, self.upstream)

    def answered(self, data):
        answer = DNSRecord.parse(data)
        client = self.asking.pop(answer.header.id, None)
        seconds = min(record.ttl for record in answer.rr)
        self.answers[answer.q.qname] = time.monotonic() + seconds, answer
        self.answers.move_to_end(answer.q.qname)
        if len(self.answers) > ANSWERS:
            self.answers.popitem(last=False)
        if client is not None:
            self.transport.sendto(data, client)


class Client(asyncio.DatagramProtocol):
    """A host of the network that asks."""

    def datagram_received(self, data, address):
        self.last = data


async def main():
    draw, loop, elapsed = random.Random(seed()), asyncio.get_running_loop(), 0.0
    local = ("127.0.0.1", 0)
    behind, _ = await loop.create_datagram_endpoint(Upstream, local_addr=local)
    known = behind.get_extra_info("sockname")
    door, _ = await loop.create_datagram_endpoint(lambda: Forwarder(known), local_addr=local)
    client, _ = await loop.create_datagram_endpoint(Client, remote_addr=door.get_extra_info("sockname"))
    while not client.is_closing():
        wait = draw.expovariate(45 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        host = int(draw.paretovariate(0.22)) % 40_000
        client.sendto(DNSRecord.question(f"h{host}.part{host % 90}.example").pack())


if __name__ == "__main__":
    asyncio.run(main())
