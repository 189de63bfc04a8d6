//! `crypto-tracker`: the whole system in one process. Only puts together what the other crates do.

mod backfill_command;
mod dead_letters_command;
mod embedded_postgres;
mod export_command;
mod parquet_file;
mod part_file;
mod progress;
mod rates_command;
mod record_command;
mod settings;
mod sql_command;
mod sql_door;
mod storage_command;
mod system;
mod user_command;

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use process::Shutdown;

use settings::{Arguments, Command, Run};
use system::{Market, System};

/// How long what still runs when everything has been stopped is waited for.
const FAREWELL: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    let arguments: Arguments = process::settings::read()?;
    let (run, market) = match arguments.command {
        None => (arguments.run, Market::Live),
        Some(Command::Demo(demo)) => (demo.run.clone(), Market::Demo(*demo)),
        Some(Command::Replay(replay)) => (replay.run.clone(), Market::Replay(*replay)),
        Some(Command::Record(record)) => return runtime()?.block_on(record_command::run(&record)),
        Some(Command::Sql(sql)) => return runtime()?.block_on(sql_command::run(&sql)),
        Some(Command::Backfill(backfill)) => return runtime()?.block_on(backfill_command::run(&backfill)),
        Some(Command::Export(export)) => return runtime()?.block_on(export_command::run(&export)),
        Some(Command::Storage(storage)) => return runtime()?.block_on(storage_command::run(&storage)),
        Some(Command::User(user)) => return runtime()?.block_on(user_command::run(&user)),
        Some(Command::Rates(rates)) => return runtime()?.block_on(rates_command::run(&rates)),
        Some(Command::DeadLetters(letters)) => return runtime()?.block_on(dead_letters_command::run(&letters)),
    };
    process::telemetry::init(&run.log)?;
    process::tls::install();
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let shutdown = process::shutdown::on_signal();
        let system = System::start(run.clone(), &market, &shutdown).await?;
        anyhow::Ok((system, shutdown))
    });
    let (system, shutdown) = match outcome {
        Ok(started) => started,
        Err(error) => {
            runtime.shutdown_timeout(FAREWELL);
            return Err(error);
        }
    };
    // The window must have the main thread.
    let shown = show(&run, system.address, &shutdown);
    if let Err(reason) = &shown {
        tracing::warn!("no window: {reason}; serving on without one (--headless says so from the start)");
    }
    if run.headless || shown.is_err() {
        runtime.block_on(shutdown.cancelled());
    }
    shutdown.cancel();
    let stopped = runtime.block_on(system.stop());
    runtime.shutdown_timeout(FAREWELL);
    stopped
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")
}

/// Opens the window and waits until it is closed.
fn show(run: &Run, address: SocketAddr, shutdown: &Shutdown) -> anyhow::Result<()> {
    if run.headless {
        return Ok(());
    }
    let api = format!("http://{address}").parse()?;
    Ok(dashboard::run_until(&dashboard::Settings::new(api, run.window.clone()), shutdown)?)
}
