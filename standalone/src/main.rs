//! `crypto-tracker`: the whole system in one process. Only puts together what the other crates do.

mod embedded_postgres;
mod settings;
mod sql_command;
mod sql_door;
mod system;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use process::Shutdown;

use settings::{Arguments, Command, Demo, Run};
use system::System;

fn main() -> anyhow::Result<()> {
    let arguments: Arguments = process::settings::read()?;
    let (run, demo) = match arguments.command {
        None => (arguments.run, None),
        Some(Command::Demo(demo)) => (demo.run.clone(), Some(*demo)),
        Some(Command::Sql(sql)) => return runtime()?.block_on(sql_command::run(&sql)),
    };
    process::telemetry::init(&run.log)?;
    process::tls::install();
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let shutdown = process::shutdown::on_signal();
        let system = System::start(run.clone(), demo.as_ref(), &shutdown).await?;
        anyhow::Ok((system, shutdown))
    });
    let (system, shutdown) = outcome?;
    greet(system.address, demo.as_ref());
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
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
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
    let api = format!("http://{}", reachable(address)).parse()?;
    Ok(dashboard::run_until(dashboard::Settings::new(api), shutdown.clone())?)
}

/// An address that serves all interfaces is reached by the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

fn greet(address: SocketAddr, demo: Option<&Demo>) {
    let exchange = if demo.is_some() { "simulated" } else { "binance" };
    let address = reachable(address);
    tracing::info!("ready; try: curl http://{address}/tickers/bitcoin/{exchange}");
    if demo.is_none() {
        tracing::info!("where the exchange cannot be reached, `crypto-tracker demo` shows a simulated market");
    }
}
