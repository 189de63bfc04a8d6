"""Trades of Kraken's second version: the channel `trade`, those of a message in the order of their numbers."""

from datetime import datetime, timedelta, timezone

BEGIN = datetime(1970, 1, 1, tzinfo=timezone.utc)


def trades(message, memory):
    if isinstance(message, dict) and message.get("channel") == "trade":
        for trade in sorted(message["data"], key=lambda trade: trade["trade_id"]):
            time = datetime.strptime(trade["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
            micros = (time - BEGIN) // timedelta(microseconds=1)
            yield trade["symbol"], trade["trade_id"], trade["price"], trade["qty"], trade["side"], micros
