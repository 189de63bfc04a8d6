"""Trades of Bitstamp: the channels live_trades_<pair>."""


def trades(message, memory):
    channel = message.get("channel", "")
    if message.get("event") == "trade" and channel.startswith("live_trades_"):
        trade = message["data"]
        side = "sell" if int(trade["type"]) else "buy"
        ticker = channel.removeprefix("live_trades_")
        yield ticker, trade["id"], trade["price_str"], trade["amount_str"], side, int(trade["microtimestamp"])
