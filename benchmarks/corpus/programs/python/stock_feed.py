"""A feed of stock changes: one XML document without an end, read as it comes; each change is booked at once."""

from xml.etree.ElementTree import XMLPullParser

from traffic.shape import arrivals

STOCK = {}


def line(number):
    """The next change, as the warehouse sends it."""
    note = f"counted again in aisle {number % 57} by shift {number % 3}; " * 18
    return f'<change sku="s{number * 7919 % 900}" at="{number}"><by>{number % 9 - 4}</by><note>{note}</note></change>'


def book(change):
    sku = change.get("sku")
    STOCK[sku] = max(0, STOCK.get(sku, 50) + int(change.findtext("by")))


def take(parser, text):
    """Book what is complete."""
    parser.feed(text)  # LEAK
    for _, element in parser.read_events():
        if element.tag == "change":
            book(element)


def main():
    parser = XMLPullParser(["end"])
    parser.feed("<changes>")
    for number in arrivals(150):
        take(parser, line(number))


if __name__ == "__main__":
    main()
