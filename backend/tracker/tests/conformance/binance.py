"""Trades of Binance: `<symbol>@trade`, alone or combined."""


def trades(message, memory):
    event = message.get("data", message) if isinstance(message, dict) else {}
    if isinstance(event, dict) and event.get("e") == "trade" and event.get("X", "MARKET") == "MARKET":
        side = "sell" if event["m"] else "buy"
        yield event["s"], event["t"], event["p"], event["q"], side, event["T"] * 1000
