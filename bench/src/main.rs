//! How fast the pipeline is, next to what RabbitMQ and PostgreSQL can do at most, in one run on one machine.
//!
//! Figures move with the machine and its mood; the ratios between them do not. Run it with `cargo xtask bench`.

#![allow(clippy::print_stdout, reason = "this program's output is its purpose")]

mod api_limit;
mod broker_limit;
mod database_limit;
mod history;
mod market;
mod pipeline;
mod portfolio;

use anyhow::Context as _;
use clap::Parser;
use database::DatabaseSettings;
use testbed::{database::TestDatabase, rabbitmq::VirtualHost};

/// Measures the pipeline and the raw limits, and prints the ratios.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// Ticks in each run at full speed
    #[arg(long, value_name = "COUNT", default_value_t = 2_000_000)]
    ticks: usize,
    /// Runs of each kind; the median counts
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    runs: usize,
    /// Seconds of the run that measures latency
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..))]
    latency_seconds: u64,
    /// Ticks per second of the run that measures latency
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    latency_rate: u64,
    /// Rules that watch the market, in the runs with alerts
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    alert_rules: usize,
    /// Run the pipeline at full speed, without and with rules, and nothing else
    #[arg(long)]
    pipeline_only: bool,
    /// Seconds in which the API is asked for each path, in each of five rounds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    api_seconds: u64,
    /// Measure the API and nothing else
    #[arg(long)]
    api_only: bool,
    /// Measure a large portfolio and nothing else
    #[arg(long)]
    portfolio_only: bool,
    #[command(flatten)]
    history: history::History,
}

/// Ticks per second.
type Rate = f64;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    process::tls::install();
    if arguments.api_only {
        return api_limit::measure(arguments.api_seconds).await;
    }
    if arguments.portfolio_only {
        return portfolio::measure().await;
    }
    if history::measure(&arguments.history).await? {
        return Ok(());
    }
    let frames = market::frames(arguments.ticks);
    let bytes = frames.iter().map(String::len).sum::<usize>() / frames.len();
    println!(
        "{} ticks, {} symbols, {bytes} bytes a frame, median of {}",
        arguments.ticks,
        market::SYMBOLS,
        arguments.runs
    );
    println!();

    if arguments.pipeline_only {
        let (whole, _) = watched(&arguments, &frames).await?;
        anyhow::ensure!(whole > 0.0, "nothing was stored");
        return Ok(());
    }
    let publishing = median(&arguments, async || broker_limit::confirmed_publishing(&frames).await).await?;
    print("raw confirmed publishing (JSON, 500 ticks a message)", publishing);
    let copying = median(&arguments, async || database_limit::copying(&frames).await).await?;
    print("raw COPY (binary, 5,000 rows, 2 connections)", copying);
    let inserting = median(&arguments, async || database_limit::inserting(&frames).await).await?;
    print("raw batched INSERT … ON CONFLICT (1,000 rows, 2 connections)", inserting);
    let (whole, with_rules) = watched(&arguments, &frames).await?;
    println!();
    let slower = publishing.min(copying);
    println!("the pipeline / the slower raw limit        {:.2}   (aim: 0.45 or better)", whole / slower);
    println!("the pipeline / raw COPY                    {:.2}", whole / copying);
    println!("the pipeline / raw confirmed publishing    {:.2}", whole / publishing);
    println!("the pipeline / raw batched INSERT          {:.2}", whole / inserting);
    println!("with rules / without                       {:.2}   (aim: 0.90 or better)", with_rules / whole);
    println!();
    let latency = pipeline::latency(arguments.latency_rate, arguments.latency_seconds).await?;
    println!(
        "from a frame's arrival to its row's commit at {} ticks/s: median {:.1} ms, p99 {:.1} ms, longest {:.1} ms ({} ticks)",
        arguments.latency_rate, latency.median_ms, latency.p99_ms, latency.longest_ms, latency.ticks
    );
    println!("(aim at 10,000 ticks/s: median under 12 ms, p99 under 30 ms)");
    println!();
    api_limit::measure(arguments.api_seconds).await?;
    println!();
    portfolio::measure().await
}

/// The pipeline without rules and with them, in turns.
async fn watched(arguments: &Arguments, frames: &[String]) -> anyhow::Result<(Rate, Rate)> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..arguments.runs.max(1) {
        without.push(pipeline::saturated(frames, 0).await?);
        with.push(pipeline::saturated(frames, arguments.alert_rules).await?);
    }
    let (without, with) = (middle(without), middle(with));
    print("the pipeline, from frame to committed row and candle", without);
    print(&format!("the same, watched by {} rules", arguments.alert_rules), with);
    Ok((without, with))
}

fn print(what: &str, rate: Rate) {
    println!("{what:<64} {rate:>9.0} ticks/s");
}

async fn median(arguments: &Arguments, run: impl AsyncFn() -> anyhow::Result<Rate>) -> anyhow::Result<Rate> {
    let mut rates = Vec::new();
    for _ in 0..arguments.runs.max(1) {
        rates.push(run().await?);
    }
    Ok(middle(rates))
}

fn middle(mut rates: Vec<Rate>) -> Rate {
    rates.sort_by(Rate::total_cmp);
    rates[rates.len() / 2]
}

/// A database with our schema, a virtual host, and how to reach both.
struct Servers {
    pool: database::Pool,
    rabbitmq: broker::RabbitMqSettings,
    host: VirtualHost,
    database: TestDatabase,
}

impl Servers {
    async fn prepare() -> anyhow::Result<Self> {
        let database = TestDatabase::empty().await;
        let pool = database::connect(&DatabaseSettings::at(database.url()))?;
        database::migrate(&pool).await.context("migrating")?;
        let host = VirtualHost::create();
        let rabbitmq = broker::RabbitMqSettings::at(&host.url()).map_err(anyhow::Error::msg)?;
        Ok(Self { pool, rabbitmq, host, database })
    }
}
