"""Reads recorded streams, apart from the connectors, and prints their trades.

    reading.py VENUE FILE...

For each file a line "file", then a line for each trade: ticker, id, price, quantity, the taker's side and microseconds since
1970, with tabs between. What a venue's messages mean stands in VENUE.py, whose trades(message, memory) yields such tuples;
`memory` is a dictionary that lasts as long as the connection.
"""

import gzip
import importlib
import json
import sys
from decimal import Decimal


def frames(path):
    """Each frame of a file; None where a connection begins."""
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        if path.endswith(".json"):
            yield None
            text = file.read()
            if is_document(text):
                yield text
                return
            file.seek(0)
        for line in file:
            if line.startswith("wss://"):
                if " <-> " in line:
                    yield None
            elif line.startswith('{"file"'):
                yield json.loads(line)["raw"]
            elif not line.startswith(("https://", "configuration")):
                start = min((at for at in (line.find("{"), line.find("[")) if at >= 0), default=None)
                if start is not None:
                    yield line[start:]


def is_document(text):
    """Whether it is one; otherwise there is one on each line."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def main(venue, paths):
    trades = importlib.import_module(venue).trades
    for path in paths:
        print("file")
        memory = {}
        for frame in frames(path):
            if frame is None:
                memory = {}
                continue
            try:
                message = json.loads(frame, parse_float=Decimal)
            except ValueError:
                continue
            for ticker, number, price, quantity, side, time_us in trades(message, memory):
                number = "" if number is None else number
                print(ticker, number, format(Decimal(price), "f"), format(Decimal(quantity), "f"), side, time_us, sep="\t")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
