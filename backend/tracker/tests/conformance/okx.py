"""Trades of OKX: the channels `trades-all` and `trades`."""


def trades(message, memory):
    argument = message.get("arg", {}) if isinstance(message, dict) else {}
    if argument.get("channel") in ("trades", "trades-all"):
        for trade in message.get("data", []):
            time_us = int(trade["ts"]) * 1000
            yield trade["instId"], trade["tradeId"], trade["px"], trade["sz"], trade["side"], time_us
