"""Trades of Coinbase Exchange: `match`, and the `last_match` that is told when subscribing. It names the maker's side."""

from datetime import datetime, timedelta, timezone

BEGIN = datetime(1970, 1, 1, tzinfo=timezone.utc)


def trades(message, memory):
    if isinstance(message, dict) and message.get("type") in ("match", "last_match"):
        taker = {"buy": "sell", "sell": "buy"}[message["side"]]
        time = datetime.strptime(message["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
        micros = (time - BEGIN) // timedelta(microseconds=1)
        yield message["product_id"], message["trade_id"], message["price"], message["size"], taker, micros
