"""Trades of Bybit: the topics `publicTrade.<pair>`. What is no number becomes its FNV-1a hash, of 63 bits."""


def number(text):
    if text.isdecimal() and int(text) < 1 << 63:
        return int(text)
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value % (1 << 63)


def trades(message, memory):
    topic = message.get("topic", "") if isinstance(message, dict) else ""
    if topic.startswith("publicTrade."):
        for trade in message["data"]:
            if not trade.get("BT"):
                yield trade["s"], number(trade["i"]), trade["p"], trade["v"], trade["S"].lower(), trade["T"] * 1000
