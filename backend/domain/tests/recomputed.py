"""Computes portfolios by itself, in fractions without an end: one JSON object a line in, one out. Shares nothing with the Rust code."""

import json
import sys
from decimal import Decimal
from fractions import Fraction


def told(number):
    number = Fraction(number)
    return str(Decimal(number.numerator) / Decimal(number.denominator))


def lots_of(trades, method):
    lots, disposals, fees = [], [], Fraction(0)
    uncovered = Fraction(0)
    for number, trade in enumerate(trades):
        fees += trade["fee"]
        if trade["buys"]:
            cost = trade["value"] + trade["fee"]
            if method == "average" and lots:
                lots[0][0] += trade["volume"]
                lots[0][1] += cost
            else:
                lots.append([trade["volume"], cost, cost / trade["volume"], number])
            continue
        wanted, money = trade["volume"], trade["value"] - trade["fee"]
        price = money / wanted
        while wanted > 0 and lots:
            if method == "lifo":
                lot = max(lots, key=lambda lot: lot[3])
            elif method == "hifo":
                lot = max(lots, key=lambda lot: (lot[2], -lot[3]))
            else:
                lot = min(lots, key=lambda lot: lot[3])
            taken = min(wanted, lot[0])
            cost = lot[1] * taken / lot[0]
            disposals.append(taken * price - cost)
            lot[0] -= taken
            lot[1] -= cost
            wanted -= taken
            if lot[0] == 0:
                lots.remove(lot)
        if wanted > 0:
            disposals.append(wanted * price)
            uncovered += wanted
    return sum(lot[0] for lot in lots), sum(lot[1] for lot in lots), sum(disposals), fees, uncovered


def growth_of(trades, days):
    """What became of one unit of money: the wealth of somebody who held the same shares in the same order, spell by spell."""
    held, marks, growth, paid_in = {}, {}, Fraction(1), Fraction(0)

    def worth():
        return sum(held[symbol] * marks.get(symbol, Fraction(0)) for symbol in held)

    def spell(begin, end):
        nonlocal growth
        if begin > 0 and end > 0:
            growth *= end / begin

    values, paid, place = [], [], 0
    for day in days:
        while place < len(trades) and trades[place]["at"] <= day["at"]:
            trade = trades[place]
            place += 1
            symbol, volume, value, fee = trade["symbol"], trade["volume"], trade["value"], trade["fee"]
            held.setdefault(symbol, Fraction(0))
            before = worth()
            if value > 0:
                marks[symbol] = value / volume
            marked = worth()
            spell(before, marked)
            if trade["buys"]:
                held[symbol] += volume
                paid_in += value + fee
                spell(marked + value + fee, marked + value)
            else:
                gone = min(held[symbol], volume)
                came = (volume - gone) * value / volume
                held[symbol] -= gone
                paid_in += came - (value - fee)
                spell(marked + came, worth() + value - fee)
        before = worth()
        marks.update({symbol: price for symbol, price in day["prices"].items() if symbol in held})
        spell(before, worth())
        values.append(worth())
        paid.append(paid_in)
    return values, paid, growth


def rate_of(paid, value):
    """By what factor a day money that came at the ends of days became a value; None where several factors, or none, explain it."""
    came = [float(one - before) for one, before in zip(paid, [Fraction(0)] + paid)]
    first = next((day for day, amount in enumerate(came) if amount), len(came) - 1)
    if first == len(came) - 1:
        return None

    def over(factor):
        last = len(came) - 1
        return sum(amount * factor ** (last - day) for day, amount in enumerate(came)) - float(value)

    grid = [0.01 * 1.01**step for step in range(926)]
    turns = [(low, high) for low, high in zip(grid, grid[1:]) if (over(low) < 0) != (over(high) < 0)]
    if len(turns) != 1 or abs(over(turns[0][0])) < 1e-6 or abs(over(turns[0][1])) < 1e-6:
        return None
    low, high = turns[0]
    ends_negative = over(high) < 0
    for _ in range(100):
        middle = (low + high) / 2
        if (over(middle) < 0) == ends_negative:
            high = middle
        else:
            low = middle
    return low ** (len(came) - 1 - first) - 1


def main():
    for line in sys.stdin:
        given = json.loads(line)
        trades = [
            dict(at=at, symbol=symbol, buys=buys, volume=Fraction(volume), value=Fraction(value), fee=Fraction(fee))
            for at, symbol, buys, volume, value, fee in given["trades"]
        ]
        days = [
            dict(at=day["at"], prices={symbol: Fraction(price) for symbol, price in day["prices"].items()})
            for day in given["days"]
        ]
        out = {"methods": {}, "balance": {}}
        symbols = sorted({trade["symbol"] for trade in trades})
        for method in ("fifo", "lifo", "hifo", "average"):
            of = {symbol: lots_of([one for one in trades if one["symbol"] == symbol], method) for symbol in symbols}
            out["methods"][method] = {symbol: [told(number) for number in found] for symbol, found in of.items()}
        prices = days[-1]["prices"]
        for symbol in symbols:
            sign = [(1 if one["buys"] else -1, one) for one in trades if one["symbol"] == symbol]
            volume = sum(s * one["volume"] for s, one in sign)
            bought = sum(s * one["value"] for s, one in sign)
            out["balance"][symbol] = [told(number) for number in (volume, bought, volume * prices[symbol])]
        values, paid, growth = growth_of(trades, days)
        out["values"] = [told(value) for value in values]
        out["paid_in"] = [told(amount) for amount in paid]
        out["growth"] = told(growth)
        out["rate"] = rate_of(paid, values[-1])
        print(json.dumps(out), flush=True)


main()
