//! `crypto-tracker backfill`: candles of the past, fetched from the exchange a page at a time.
//!
//! Each page is stored with how far it goes in one transaction, so that the same command goes on where it was stopped, by
//! whatever. The exchange is asked by the tracker's own connector, which leaves half of its allowance to the feeds.

#![allow(clippy::print_stdout, reason = "the output of a command line is what it prints")]

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use chrono::{DateTime, DurationRound as _, SecondsFormat, TimeDelta, Utc};
use database::{
    Client,
    minutes::{Page, Span},
};
use domain::{MinuteReport, Purpose};
use process::Shutdown;
use smol_str::SmolStr;
use tracker::{
    exchange::{Exchange, Minutes},
    rest::RestError,
};

use crate::{
    progress::Progress,
    settings::Backfill,
    sql_command::{ask, connect, rows},
};

/// How many minutes are asked for at once.
const PAGE: TimeDelta = TimeDelta::minutes(1_000);
/// How long after its end the exchange has added up a minute.
const SETTLED: TimeDelta = TimeDelta::seconds(5);
/// How many seconds to wait before each further try while the exchange does not answer.
const DELAYS_S: [u64; 5] = [1, 2, 4, 8, 16];

/// Does it.
pub(crate) async fn run(wanted: &Backfill) -> anyhow::Result<()> {
    let shutdown = process::shutdown::on_signal();
    process::tls::install();
    let span = span(wanted, Utc::now())?;
    let exchange = tracker::exchanges::find(&wanted.exchange, &wanted.addresses)?;
    let minutes = exchange.minutes().with_context(|| format!("{} tells no candles", wanted.exchange))?;
    let client = connect(&wanted.asked).await?;
    let ticker = known_ticker(&client, wanted).await?;
    let pair = format!("{ticker} on {}", wanted.exchange);

    let stored = done_until(&client, &wanted.exchange, &ticker, span.from).await?;
    if let Some(stored) = stored.filter(|stored| *stored >= span.to) {
        println!("{pair}: everything up to {} is stored already", moment(stored));
        return Ok(());
    }
    let asking = begin(&exchange, minutes, &ticker, stored.unwrap_or(span.from));
    let first = tokio::select! {
        first = asking => first?,
        () = shutdown.cancelled() => bail!("stopped before anything was fetched"),
    };
    let Some(first) = first.filter(|first| *first < span.to) else {
        bail!("{} has no candles of {ticker} before {}", wanted.exchange, moment(span.to));
    };
    match stored {
        Some(stored) => println!("{pair}: goes on at {}, where it was stopped", moment(stored)),
        None if first > span.from => println!("{pair}: begins at {}, the first candle that there is", moment(first)),
        None => println!("{pair}: begins at {}", moment(first)),
    }
    let work = Work { exchange: &wanted.exchange, ticker: &ticker, minutes, client: &client, span };
    let candles = work.run(first, &shutdown).await?;
    println!("{pair}: {candles} candles fetched; everything up to {} is stored", moment(span.to));
    Ok(())
}

/// The whole minutes that are wanted and over.
fn span(wanted: &Backfill, now: DateTime<Utc>) -> anyhow::Result<Span> {
    let whole = |time: DateTime<Utc>| time.duration_trunc(TimeDelta::minutes(1)).unwrap_or(time);
    let (from, to) = (whole(wanted.from), whole(wanted.to.min(now - SETTLED)));
    if from >= to {
        let now = if wanted.to >= now - SETTLED { " (now)" } else { "" };
        bail!("--from {} is not before --to {}{now}; choose an earlier beginning", moment(from), moment(to));
    }
    Ok(Span { from, to })
}

/// The ticker as the exchange spells it.
async fn known_ticker(client: &Client, wanted: &Backfill) -> anyhow::Result<SmolStr> {
    let (exchange, ticker) = (&wanted.exchange, &wanted.ticker);
    let query = format!(
        "SELECT ticker FROM tickers WHERE exchange = {} ORDER BY lower(ticker) <> lower({1}), left(ticker, 3) <> upper(left({1}, 3)), ticker LIMIT 5",
        literal(exchange),
        literal(ticker)
    );
    let listed = ask(client, &query).await.with_context(|| nothing_yet(exchange))?;
    let listed: Vec<String> = rows(listed).into_iter().flatten().flatten().collect();
    match listed.first() {
        Some(found) if found.eq_ignore_ascii_case(ticker) => Ok(found.into()),
        Some(_) => bail!(
            "{exchange} lists no pair {ticker:?}; it lists {} and others: crypto-tracker sql \"SELECT ticker FROM tickers WHERE exchange = '{exchange}'\" shows them",
            listed.join(", ")
        ),
        None => bail!(nothing_yet(exchange)),
    }
}

fn nothing_yet(exchange: &str) -> String {
    format!(
        "nothing is known of {exchange} yet; let crypto-tracker (or tracker and db-handler) follow it for a moment first"
    )
}

/// How far the same backfill got before.
async fn done_until(
    client: &Client,
    exchange: &str,
    ticker: &str,
    from: DateTime<Utc>,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let query = format!(
        "SELECT to_char(backfill.done_until AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
         FROM backfill JOIN ticker ON ticker.id = backfill.ticker_id JOIN exchange ON exchange.id = ticker.exchange_id
         WHERE exchange.name = {} AND ticker.ticker = {} AND backfill.from_time = {}",
        literal(exchange),
        literal(ticker),
        literal(&from.to_rfc3339())
    );
    let found = rows(ask(client, &query).await?).into_iter().flatten().flatten().next();
    Ok(found.map(|text| text.parse()).transpose()?)
}

/// Where there is something to fetch from that moment on. Learns by the way how much may be asked for.
async fn begin(
    exchange: &Arc<dyn Exchange>,
    minutes: &dyn Minutes,
    ticker: &SmolStr,
    from: DateTime<Utc>,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let name = exchange.identity().name;
    let listed = patiently(async || exchange.catalogue().await).await;
    let listed = listed.with_context(|| {
        format!("{name} cannot be asked; crypto-tracker backfill --help tells the settings of its address")
    })?;
    if !listed.iter().any(|one| one.ticker == *ticker) {
        bail!("{name} does not list {ticker} any more, and tells nothing of it");
    }
    let first = patiently(async || minutes.first(ticker).await).await;
    let first = first.with_context(|| format!("asking {name} for the first candle of {ticker}"))?;
    Ok(first.map(|first| first.max(from)))
}

/// Asks again as long as the exchange asks to be left alone for a while; the connector waits so long.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, RestError>) -> Result<T, RestError> {
    loop {
        match ask().await {
            Err(error @ RestError::Limited { .. }) => println!("{error}"),
            answer => return answer,
        }
    }
}

/// Fetching and storing.
struct Work<'a> {
    exchange: &'a str,
    ticker: &'a SmolStr,
    minutes: &'a dyn Minutes,
    client: &'a Client,
    span: Span,
}

impl Work<'_> {
    /// Fetches and stores, a page at a time. Returns how many candles there were.
    async fn run(&self, first: DateTime<Utc>, shutdown: &Shutdown) -> anyhow::Result<usize> {
        let progress = Progress::new(first, self.span.to);
        let (mut from, mut candles) = (first, 0);
        while from < self.span.to {
            let to = self.span.to.min(from + PAGE);
            let report = tokio::select! {
                report = self.fetch(from, to, &progress) => report?,
                () = shutdown.cancelled() => {
                    progress.end();
                    bail!("stopped at {}; the same command goes on from there", moment(from));
                }
            };
            candles += report.minutes.len();
            let page = Page { report, backfill: Some(self.span) };
            self.client.batch_execute(&page.statement()?).await.with_context(|| {
                format!("the database does not take candles any more; the same command goes on at {}", moment(from))
            })?;
            from = to;
            progress.reached(from);
        }
        progress.end();
        Ok(candles)
    }

    /// Asks until the exchange answers, or has not answered for a while.
    async fn fetch(&self, from: DateTime<Utc>, to: DateTime<Utc>, progress: &Progress) -> anyhow::Result<MinuteReport> {
        let mut delays = DELAYS_S.iter();
        let mut minutes = loop {
            let error = match self.minutes.minutes(self.ticker, from, to).await {
                Ok(minutes) => break minutes,
                Err(error) => error,
            };
            let may_pass = !matches!(error, RestError::Refused { status: 400..500, .. });
            let Some(delay) = delays.next().filter(|_| may_pass) else {
                return Err(error).with_context(|| {
                    format!("{} does not tell more; the same command goes on at {}", self.exchange, moment(from))
                });
            };
            progress.say(&format!("{error}; tried again in {delay} s"));
            tokio::time::sleep(Duration::from_secs(*delay)).await;
        };
        minutes.retain(|minute| (from..to).contains(&minute.open_time) && minute.is_sound());
        let (exchange, ticker) = (self.exchange.into(), self.ticker.clone());
        Ok(MinuteReport { exchange, ticker, purpose: Purpose::Take, from, to, minutes })
    }
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A text in SQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
