//! What Bitfinex's trades, candles and names mean.
//!
//! A ticker is spelled as the list of pairs spells it: `BTCUSD`, or `DUSK:USD` where a code is longer than three letters. The `t`
//! before it stands on the wire only.

use chrono::{DateTime, Utc};
use domain::{ExchangeMinute, Side, Tick};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::messages::{Candle, List, Trade};
use crate::{exchange::UnreadableFrame, wire};

/// What a pair is called on the wire.
pub(super) fn symbol(ticker: &str) -> String {
    format!("t{ticker}")
}

/// A trade of a pair. An amount below zero tells that the taker sold.
pub(super) fn tick(ticker: &SmolStr, text: &str, received_at: DateTime<Utc>) -> Result<Tick, UnreadableFrame> {
    let trade = Trade::parse(text)?;
    let amount = trade.amount.0;
    Ok(Tick {
        ticker: ticker.clone(),
        trade_id: Some(trade.id),
        price: trade.price.0,
        quantity: Some(amount.abs()),
        taker_side: Some(if amount < Decimal::ZERO { Side::Sell } else { Side::Buy }),
        exchange_time: Some(wire::from_ms("MTS", trade.time_ms)?),
        received_at,
    })
}

/// Trades of a pair, in order, and what is wrong with one that cannot be read.
pub(super) fn ticks(
    ticker: &SmolStr,
    text: &str,
    received_at: DateTime<Utc>,
) -> Result<(Vec<Tick>, Option<UnreadableFrame>), UnreadableFrame> {
    let (mut ticks, mut unreadable) = (Vec::new(), None);
    for trade in List::parse(text)?.behind(0) {
        match tick(ticker, trade, received_at) {
            Ok(tick) => ticks.push(tick),
            // One trade's mistake is not the others'.
            Err(error) => unreadable = Some(error),
        }
    }
    ticks.sort_by_key(|tick| (tick.exchange_time, tick.trade_id));
    Ok((ticks, unreadable))
}

/// A minute in which something was traded; `None` for any other. Neither the number of trades nor the quote volume is told.
pub(super) fn minute(text: &str) -> Result<Option<ExchangeMinute>, UnreadableFrame> {
    let candle = Candle::parse(text)?;
    let minute = ExchangeMinute {
        open_time: wire::from_ms("MTS", candle.time_ms)?,
        open: candle.open.0,
        high: candle.high.0,
        low: candle.low.0,
        close: candle.close.0,
        volume: candle.volume.0,
        quote_volume: Decimal::ZERO,
        trades: 0,
    };
    Ok((minute.volume > Decimal::ZERO).then_some(minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received_at() -> DateTime<Utc> {
        "2026-11-20T12:00:00.200Z".parse().unwrap()
    }

    #[test]
    fn trades_of_an_answer_are_exact_and_in_order_and_one_mistake_costs_no_other() {
        let text = "[[12,1795176000123,-4.9e-7,64250.010,\"new\"],[11,1795176000123,1,2],[10,1795176000000,\"x\",2]]";
        let (ticks, unreadable) = ticks(&"DUSK:USD".into(), text, received_at()).unwrap();
        assert_eq!(ticks.iter().map(|tick| tick.trade_id.unwrap()).collect::<Vec<_>>(), [11, 12]);
        assert_eq!(
            ticks[1],
            Tick {
                ticker: "DUSK:USD".into(),
                trade_id: Some(12),
                price: "64250.01".parse().unwrap(),
                quantity: Some("0.00000049".parse().unwrap()),
                taker_side: Some(Side::Sell),
                exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
                received_at: received_at(),
            }
        );
        assert!(unreadable.unwrap().to_string().contains("AMOUNT"));
    }

    #[test]
    fn a_candle_names_its_close_before_its_high() {
        let told = minute("[1795176000000,10,11,12,9.5,3.25]").unwrap().unwrap();
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(
            [told.open, told.high, told.low, told.close, told.volume],
            ["10", "12", "9.5", "11", "3.25"].map(decimal)
        );
        assert_eq!(told.open_time, "2026-11-20T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert!(told.is_sound());
        assert_eq!(minute("[1795176000000,10,10,10,10,0]"), Ok(None));
        assert!(minute("[1795176000000,10,10]").unwrap_err().to_string().contains("HIGH is missing"));
    }
}
