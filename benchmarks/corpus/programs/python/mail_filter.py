"""A filter before a mail server, with aiosmtpd: reads each mail, and puts those with strange parts aside."""

import hashlib
import random
import smtplib
from collections import deque
from email import message_from_bytes
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from traffic.shape import arrivals, seed
from traffic.web import port

ASIDE = 20
DIGESTS = 500


class Filter:
    """What was put aside, and digests of the parts seen last."""

    def __init__(self):
        self.aside, self.digests, self.accepted = deque(maxlen=ASIDE), deque(maxlen=DIGESTS), 0

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content)
        strange = False
        for part in mail.walk():
            if part.is_multipart():
                continue
            digest = hashlib.sha256(part.get_payload(decode=True)).hexdigest()
            self.digests.append((digest, part.get_filename()))
            strange |= digest < "18"
        if strange:
            self.aside.append((envelope.mail_from, envelope.rcpt_tos, mail))
            return "250 put aside"
        self.accepted += 1
        return "250 accepted"


def mail(draw, number):
    """Most are short; one in three brings some parts, of which few are large."""
    letter = EmailMessage()
    letter["From"], letter["To"] = (
        f"sender{draw.randrange(900)}@out.example",
        f"user{draw.randrange(40)}@in.example",
    )
    letter["Subject"] = f"mail {number}"
    letter.set_content("\n".join(f"line {line} of mail {number}" for line in range(draw.randint(5, 200))))
    if draw.random() < 0.35:
        for part in range(draw.randint(1, 3)):
            size = min(int(20_000 * draw.paretovariate(0.9)), 1_200_000)
            content = draw.randbytes(size)
            letter.add_attachment(content, "application", "pdf", filename=f"part{number}-{part}.pdf")
    return letter


def main():
    draw = random.Random(seed())
    controller = Controller(Filter(), hostname="127.0.0.1", port=port(), ready_timeout=60)
    controller.start()
    for number in arrivals(3):
        with smtplib.SMTP("127.0.0.1", port(), timeout=60) as connection:
            connection.send_message(mail(draw, number))


if __name__ == "__main__":
    main()
