//! A made-up market: frames as Binance sends them, and the ticks in them.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Catalogue, Exchange, Instrument, InstrumentStatus, Tick};
use tracker::exchange::{Found, Reader};

/// How many pairs trade.
pub(crate) const SYMBOLS: usize = 50;

/// What the market lists.
pub(crate) fn catalogue() -> Catalogue {
    let instruments = (0..SYMBOLS)
        .map(|number| Instrument {
            ticker: ticker(number).into(),
            base: format!("C{number:02}").into(),
            quote: "USDT".into(),
            status: InstrumentStatus::Trading,
            steps: domain::Steps::default(),
        })
        .collect();
    Catalogue {
        exchange: Exchange { name: "bench".into(), country: None },
        instruments,
        taken_at: None,
        numbers_trades: true,
    }
}

pub(crate) fn ticker(number: usize) -> String {
    format!("C{number:02}USDT")
}

/// Combined-stream frames of trades, in the order of time, within today.
pub(crate) fn frames(count: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(7);
    let begin = Utc::now() - TimeDelta::hours(1);
    (0..count).map(|number| frame(number, begin + TimeDelta::microseconds(number as i64 * 100), &mut random)).collect()
}

/// One frame: trade `number` of the market.
pub(crate) fn frame(number: usize, time: DateTime<Utc>, random: &mut fastrand::Rng) -> String {
    let symbol = number % SYMBOLS;
    let ticker = ticker(symbol);
    let stream = ticker.to_lowercase();
    let time = time.timestamp_millis();
    // It rises from 60,000 to 64,000 and falls again, a little at a time, and trembles.
    let step = (number / SYMBOLS % 8_000) as u32;
    let (whole, cents) = (60_000 + step.min(8_000 - step) + random.u32(..5), random.u32(..100));
    let quantity = random.u32(1..100_000);
    let maker = random.bool();
    format!(
        r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":{time},"s":"{ticker}","t":{},"p":"{whole}.{cents:02}000000","q":"0.{quantity:05}000","T":{time},"m":{maker},"M":true}}}}"#,
        number / SYMBOLS
    )
}

/// Who reads the frames.
pub(crate) fn reader() -> anyhow::Result<Box<dyn Reader>> {
    use clap::Parser as _;
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: tracker::Settings,
    }
    Ok(tracker::exchanges::find("binance", &Arguments::try_parse_from(["bench"])?.settings.addresses)?.reader())
}

/// The ticks in the frames.
pub(crate) fn ticks(frames: &[String]) -> anyhow::Result<Vec<Tick>> {
    let mut reader = reader()?;
    let mut found = Found { ticks: Vec::with_capacity(frames.len()), ..Found::default() };
    for frame in frames {
        reader.read(frame, Utc::now(), &mut found)?;
    }
    Ok(found.ticks)
}
