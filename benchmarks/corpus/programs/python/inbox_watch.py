"""Watches the shared mailboxes of a support desk over IMAP, and says how many mails each of them has."""

import imaplib
import random
import socketserver
import threading

from traffic.shape import arrivals, seed

MAILBOXES = 16
TAGS = (
    "billing",
    "refund",
    "team-north",
    "team-south",
    "urgent",
    "waiting",
    "$Forwarded",
    "translated",
    "vip",
)


class Server(socketserver.StreamRequestHandler):
    """The mail server, as a stand-in on this machine: whatever others do is told with the next answer."""

    def handle(self):
        draw, mails, changes = random.Random(seed()), 4000, 0
        self.wfile.write(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        for line in self.rfile:
            tag, command = line.split()[:2]
            lines = []
            if command == b"CAPABILITY":
                lines.append("* CAPABILITY IMAP4rev1")
            elif command == b"NOOP":
                for _ in range(draw.randint(20, 100)):
                    changes += 1
                    tags = " ".join(draw.sample(TAGS, draw.randint(1, 4)))
                    mail = draw.randrange(1, mails)
                    lines.append(
                        f"* {mail} FETCH (UID {mail + 90_000} FLAGS (\\Seen {tags}) MODSEQ ({8**10 + changes}))"
                    )
                mails += draw.random() < 0.4
            lines.append(f"* {mails} EXISTS")
            lines.append(f"{tag.decode()} OK done")
            self.wfile.write("".join(f"{each}\r\n" for each in lines).encode())


class Mailbox:
    """One mailbox and its connection, which stays open."""

    def __init__(self, port, number):
        self.connection, self.mails = imaplib.IMAP4("127.0.0.1", port), 0
        self.connection.login(f"desk{number}", "secret")
        self.connection.select()

    def look(self):
        """How many mails came since the last look."""
        self.connection.noop()  # LEAK
        _, counts = self.connection.response("EXISTS")
        before, self.mails = self.mails, int(counts[-1])
        return self.mails - before


def main():
    draw = random.Random(seed())
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    boxes = [Mailbox(server.server_address[1], number) for number in range(MAILBOXES)]
    came = 0
    for _ in arrivals(16):
        came += draw.choice(boxes).look()


if __name__ == "__main__":
    main()
