//! `cargo xtask schemathesis`: asks the running API all that its description allows, and much that it does not, and compares
//! the answers with the description.
//!
//! The API is that of `crypto-tracker demo`, which the simulated market fills, on a real PostgreSQL. What cannot end (the
//! live feed) is left out, and so is one check: whether a cursor, a moment or a window can be used, no schema can say.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use testbed::POSTGRES_VARIABLE;
use testbed::servers::{Servers, Tuning};

use crate::cargo;

/// The version that is installed, from PyPI.
const VERSION: &str = "4.32.5";

/// How long the demo may take until it serves prices.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much to ask.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed to `schemathesis run` behind our own: `--seed 7`, `--max-examples 1000`, …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    testbed::install::install_missing()?;
    let target = cargo::workspace().join("target");
    let schemathesis = install(&target.join("schemathesis"))?;
    if !cargo::run(&mut cargo::command(&["build", "--locked", "-p", "standalone"]))?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut servers = Servers::launch(Tuning::Tests)?;
    servers.wait_until_ready()?;
    let postgres = servers.environment().into_iter().find(|(name, _)| *name == POSTGRES_VARIABLE);
    let (_, database) = postgres.context("the test servers name no PostgreSQL")?;
    let folder = target.join("schemathesis-demo");
    let mut demo = Demo::start(&target, &folder, database.as_ref())?;
    demo.wait_until_it_serves()?;
    let mut command = Command::new(schemathesis);
    command.arg("--config-file").arg(cargo::workspace().join("xtask/schemathesis.toml")).arg("run");
    command.arg(format!("http://{}/openapi.json", demo.address));
    command.args(["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--max-examples", "200"]);
    command.args(["--request-timeout", "10", "--workers", "2", "--exclude-path-regex", "^/live"]);
    // It leaves notes where it runs.
    let status = command.args(&arguments.arguments).current_dir(&folder).status().context("starting schemathesis")?;
    drop(demo);
    // What the demo said is only of use where something failed.
    if status.success() {
        std::fs::remove_dir_all(&folder).context("removing the demo's folder")?;
    } else {
        eprintln!("The demo's log is in {}.", folder.display());
    }
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes an environment of its own for it, once.
fn install(environment: &Path) -> Result<PathBuf> {
    let programs = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let program = programs.join("schemathesis");
    let installed = Command::new(&program).arg("--version").output();
    if installed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION)) {
        return Ok(program);
    }
    let python = if cfg!(windows) { "python" } else { "python3" };
    let made = Command::new(python).args(["-m", "venv"]).arg(environment).status();
    ensure!(
        made.is_ok_and(|status| status.success()),
        "{python} with the module venv is needed (Debian, Ubuntu: apt-get install python3-venv)"
    );
    let package = format!("schemathesis=={VERSION}");
    let installed = Command::new(programs.join(python)).args(["-m", "pip", "install", "--quiet", &package]).status();
    ensure!(
        installed.is_ok_and(|status| status.success()),
        "pip could not install {package}; PyPI must be reachable, or a mirror named in PIP_INDEX_URL"
    );
    Ok(program)
}

/// The running program. Dropping it ends it.
struct Demo {
    address: SocketAddr,
    process: Child,
}

impl Demo {
    fn start(target: &Path, folder: &Path, database: &OsStr) -> Result<Self> {
        std::fs::create_dir_all(folder).context("making a folder for the demo")?;
        let log = File::create(folder.join("log")).context("making the demo's log")?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr())?;
        let program = target.join("debug").join(format!("crypto-tracker{}", std::env::consts::EXE_SUFFIX));
        let process = Command::new(program)
            .args(["demo", "--headless"])
            .env("DATA_FOLDER", folder)
            .env("DATABASE_URL", database)
            .env("API_BIND", address.to_string())
            .env("API_RATE_LIMIT", "0")
            .current_dir(folder)
            .stderr(log)
            .spawn()
            .context("starting crypto-tracker")?;
        Ok(Self { address, process })
    }

    fn wait_until_it_serves(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !self.serves_prices() {
            if let Some(status) = self.process.try_wait().context("looking after crypto-tracker")? {
                bail!("crypto-tracker has ended by itself: {status}");
            }
            ensure!(Instant::now() < end, "crypto-tracker serves no prices");
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn serves_prices(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.write_all(b"GET /prices/simulated/BTCUSDT HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Errors mean that it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
