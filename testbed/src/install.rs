//! Finds the servers' programs, and installs what is missing where that is allowed: on Debian and Ubuntu, as root or
//! with a `sudo` that asks no password. Elsewhere it says exactly what to install.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Oldest PostgreSQL whose SQL the project uses.
pub const OLDEST_POSTGRES: u32 = 15;

const SERVER_PACKAGES: [&str; 2] = ["rabbitmq-server", "postgresql"];

/// Needed by the test that opens the dashboard's window (`window-test`), and by people who try it without a screen: a
/// display, what the window needs to draw, and tools that look at it and click in it.
const WINDOW_PACKAGES: [&str; 12] = [
    "xvfb",
    "xauth",
    "libxcursor1",
    "libxi6",
    "libxkbcommon-x11-0",
    "libegl1",
    "libgl1",
    "libgl1-mesa-dri",
    "imagemagick",
    "xdotool",
    "x11-apps",
    "x11-utils",
];

/// Debian's packages start their services; ours bring their own ports and folders, so the system's stay as they are.
const INSTALL: &str = r#"
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
apt-get update
apt-get install -y -o DPkg::Lock::Timeout=300 --no-install-recommends "$@"
"#;

/// The programs of a RabbitMQ installation.
#[derive(Clone, Debug)]
pub struct RabbitMqPrograms {
    /// `rabbitmq-server`: the script itself, not the distribution's wrapper that insists on its own user.
    pub server: PathBuf,
    /// `rabbitmqctl`, beside it: likewise the script itself.
    pub control: PathBuf,
    /// `epmd`, Erlang's port mapper.
    pub port_mapper: PathBuf,
}

/// Installs what is missing, if anything is.
///
/// # Errors
/// When something is missing that cannot be installed here; the error says what.
pub fn install_missing() -> Result<()> {
    let servers_missing = postgres_programs().is_err() || rabbitmq_programs().is_err();
    if find_in_path("apt-get").is_none() || find_in_path("dpkg-query").is_none() {
        // Each says what to install.
        postgres_programs()?;
        rabbitmq_programs()?;
        return display_program();
    }
    let mut packages: Vec<&str> = if servers_missing { SERVER_PACKAGES.to_vec() } else { Vec::new() };
    packages.extend(WINDOW_PACKAGES.into_iter().filter(|package| !is_package_installed(package)));
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    let mut command = if is_root() {
        Command::new("sh")
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    } else {
        bail!("these packages are missing, and only root may install them: sudo {by_hand}");
    };
    command.args(["-c", INSTALL, "sh"]).args(&packages).stdin(Stdio::null());
    let status = command.status().context("starting apt-get")?;
    if !status.success() {
        bail!("installing failed ({status}); by hand: {by_hand}");
    }
    postgres_programs()?;
    rabbitmq_programs()?;
    Ok(())
}

/// The folder with `initdb` and `postgres`, of the newest version found.
///
/// # Errors
/// When there is none, or only one that is too old; the error says what to install.
pub fn postgres_programs() -> Result<PathBuf> {
    // Of equal versions the last wins: the distribution's own folder.
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(find_in_path("postgres").and_then(|program| Some(program.parent()?.to_owned())));
    folders.extend(output(Command::new("pg_config").arg("--bindir")).map(PathBuf::from));
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    folders.extend(packaged.filter_map(|entry| Some(entry.ok()?.path().join("bin"))));
    let found = folders.into_iter().filter(|folder| folder.join("initdb").exists()).filter_map(|folder| {
        let version = output(Command::new(folder.join("postgres")).arg("--version"))?;
        let version = version.split([' ', '.']).find_map(|word| word.parse::<u32>().ok())?;
        Some((version, folder))
    });
    match found.max_by_key(|(version, _)| *version) {
        Some((version, folder)) if version >= OLDEST_POSTGRES => Ok(folder),
        Some((version, folder)) => bail!(
            "PostgreSQL {OLDEST_POSTGRES} or later is needed; {} has {version}. Newer packages for Debian and Ubuntu: \
             https://wiki.postgresql.org/wiki/Apt",
            folder.display()
        ),
        None => bail!("PostgreSQL's server programs (initdb, postgres) were not found. {}", advice()),
    }
}

/// The programs of an installed RabbitMQ.
///
/// # Errors
/// When it is not installed; the error says what to install.
pub fn rabbitmq_programs() -> Result<RabbitMqPrograms> {
    let mut candidates = vec![PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server")];
    candidates
        .extend(["/opt/homebrew/sbin", "/usr/local/sbin"].map(|folder| Path::new(folder).join("rabbitmq-server")));
    candidates.extend(find_in_path("rabbitmq-server"));
    let server = candidates.into_iter().find(|program| program.exists());
    let port_mapper = find_in_path("epmd")
        .or_else(|| Some(PathBuf::from("/usr/lib/erlang/bin/epmd")).filter(|program| program.exists()));
    match (server, port_mapper) {
        (Some(server), Some(port_mapper)) => {
            Ok(RabbitMqPrograms { control: server.with_file_name("rabbitmqctl"), server, port_mapper })
        }
        (None, _) => bail!("RabbitMQ's server (rabbitmq-server) was not found. {}", advice()),
        (_, None) => bail!("Erlang's port mapper (epmd), which comes with RabbitMQ, was not found. {}", advice()),
    }
}

/// The display without a screen, which is there for Linux alone: elsewhere no test opens the window.
fn display_program() -> Result<()> {
    if cfg!(target_os = "linux") && find_in_path("Xvfb").is_none() {
        bail!("The display without a screen (Xvfb) was not found. {}", advice());
    }
    Ok(())
}

/// Whether this process runs as root.
#[must_use]
pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).as_deref() == Some("0")
}

fn advice() -> String {
    let commands = [
        ("apt-get", "sudo apt-get install --no-install-recommends postgresql rabbitmq-server"),
        (
            "dnf",
            "sudo dnf install postgresql-server rabbitmq-server xorg-x11-server-Xvfb mesa-dri-drivers libXcursor libXi \
             libxkbcommon-x11",
        ),
        ("pacman", "sudo pacman -S postgresql rabbitmq xorg-server-xvfb mesa libxcursor libxi libxkbcommon-x11"),
        ("brew", "brew install postgresql@17 rabbitmq && export PATH=\"$(brew --prefix postgresql@17)/bin:$PATH\""),
    ];
    let known = commands.iter().find(|(manager, _)| find_in_path(manager).is_some());
    known.map_or_else(
        || {
            format!(
                "Install PostgreSQL {OLDEST_POSTGRES} or later, RabbitMQ 3.10 or later and, on Linux, Xvfb, with their \
                 programs in PATH."
            )
        },
        |(_, command)| format!("Install it: {command}"),
    )
}

fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // An ordinary user's PATH leaves these out, and servers are installed there.
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|candidate| candidate.exists())
}

fn is_package_installed(package: &str) -> bool {
    // Asked for by its status: a package that was removed but not purged is still known.
    output(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package])).as_deref()
        == Some("installed")
}

/// What a command printed, if it could be run and succeeded.
fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn succeeds(command: &mut Command) -> bool {
    output(command).is_some()
}
