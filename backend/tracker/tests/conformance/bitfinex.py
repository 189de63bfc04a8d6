"""Trades of Bitfinex: the first word about each, and those of the day before an acknowledgement, oldest first."""

RECORDED_AT = 1618677545000
DAY = 86_400_000


def trades(message, memory):
    if isinstance(message, dict):
        if message.get("event") == "subscribed" and message["channel"] == "trades":
            memory[message["chanId"]] = message["symbol"][1:]
        return
    if not isinstance(message[0], int) or message[0] not in memory:
        return
    told = []
    if message[1] == "te":
        told = [message[2]]
    elif isinstance(message[1], list):
        told = [trade for trade in message[1] if trade[1] >= RECORDED_AT - DAY]
        told.sort(key=lambda trade: (trade[1], trade[0]))
    for number, time_ms, amount, price, *_ in told:
        yield memory[message[0]], number, price, abs(amount), "sell" if amount < 0 else "buy", time_ms * 1000
