//! The command line of the package: which faults, and the table.

#![allow(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use chaos::{
    Fault, Stage, Verdict,
    opinion::second_opinion,
    record::Begin,
    verdict::{try_fault, whole_run},
};
use clap::{
    Parser,
    builder::{PossibleValuesParser, TypedValueParser},
};
use tokio::time::Instant;

/// How many pairs are traded.
const PAIRS: usize = 4;

/// Breaks the real parts while trades flow, one at a time, and compares what was published with what is stored.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask chaos")]
struct Arguments {
    /// Faults to try; all where none is named
    #[arg(value_name = "FAULT", value_parser = faults())]
    faults: Vec<Fault>,
    /// Trades per second, of all pairs together; each comes by three protocols
    #[arg(long, value_name = "NUMBER", default_value_t = 500.0)]
    trades_per_second: f64,
    /// Replace each connection to the exchange after so many seconds, as is done before Binance's 24 hours are over
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    connection_seconds: u32,
    /// How long the fault `nothing` lasts; with a short --connection-seconds, many connections are replaced meanwhile
    #[arg(long, value_name = "SECONDS", default_value_t = Fault::Nothing.lasts().as_secs())]
    nothing_seconds: u64,
    /// Go on with faults drawn at random for so many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 0)]
    random_minutes: u64,
    /// Where chance begins; drawn where it is not said, and printed
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Keep the logs of the services in this folder
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
}

fn faults() -> impl TypedValueParser<Value = Fault> {
    PossibleValuesParser::new(Fault::ALL.map(Fault::name)).map(|name| {
        let named = Fault::ALL.into_iter().find(|fault| fault.name() == name);
        named.unwrap_or(Fault::Nothing)
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    process::tls::install();
    let stopped = process::shutdown::on_signal();
    // Asked to stop, everything is dropped in order: processes end, file systems are unmounted.
    tokio::select! {
        outcome = run(arguments) => outcome,
        () = stopped.cancelled() => Ok(ExitCode::FAILURE),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed}, {} trades/s", arguments.trades_per_second);
    let mut stage =
        Stage::build(PAIRS, arguments.trades_per_second, seed, arguments.connection_seconds, arguments.logs).await?;
    stage.nothing_lasts = Duration::from_secs(arguments.nothing_seconds);
    println!("{}", Verdict::HEAD);
    let begin = Begin::now(&stage.exchange);
    let mut bad = 0;
    let mut chosen = if arguments.faults.is_empty() { Fault::ALL.to_vec() } else { arguments.faults };
    let mut random = fastrand::Rng::with_seed(seed);
    // Counted from the first that is drawn.
    let mut until: Option<Instant> = None;
    let lasting = Duration::from_secs(60 * arguments.random_minutes);
    while !chosen.is_empty() {
        for fault in chosen {
            if let Some(obstacle) = fault.obstacle(&stage) {
                println!("{:<30} not injected: {obstacle}", fault.name());
                continue;
            }
            match try_fault(&mut stage, fault).await {
                Ok((verdicts, told)) => {
                    for verdict in verdicts {
                        println!("{verdict}");
                        bad += u32::from(!verdict.is_good());
                    }
                    if let Some(told) = told {
                        println!("{told}");
                        bad += u32::from(!told.is_good());
                    }
                }
                Err(error) => {
                    println!("{:<30} BAD: {error:#}", fault.name());
                    bad += 1;
                }
            }
        }
        let now = Instant::now();
        let goes_on = now < *until.get_or_insert(now + lasting);
        chosen = goes_on.then(|| random.choice(Fault::ALL)).flatten().into_iter().collect();
    }
    for (protocol, whole, published) in whole_run(&stage, &begin).await? {
        println!(
            "the whole run, {}: {published} published, {} stored, {} doubled, {} missing, {} wrong",
            protocol.exchange(),
            whole.stored,
            whole.doubled,
            whole.missing,
            whole.wrong
        );
        bad += u32::from(whole.stored != published || whole.doubled + whole.missing + whole.wrong > 0);
    }
    let opinion = second_opinion(&stage).await?;
    println!("{opinion}");
    bad += u32::from(!opinion.is_good());
    if bad == 0 {
        println!("nothing was lost, doubled or falsified");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{bad} of them went wrong");
    Ok(ExitCode::FAILURE)
}
