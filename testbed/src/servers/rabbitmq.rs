//! A RabbitMQ server with a node name, port mapper and data folder of its own, and its HTTP management.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::Tuning;
use super::guard::ServerFolder;
use super::process::{ServerProcess, answers, free_ports};
use crate::address::{RabbitMqAddress, ServerAddress};
use crate::install::{self, RabbitMqPrograms};
use crate::{management, random};

const PATIENCE: Duration = Duration::from_secs(120);

/// A running RabbitMQ server; dropping it stops it and removes its data.
#[derive(Debug)]
pub struct RabbitMqServer {
    broker: Option<ServerProcess>,
    /// Erlang's port mapper. Ours, so that no daemon stays behind and none of the system's is needed.
    _port_mapper: ServerProcess,
    programs: RabbitMqPrograms,
    address: RabbitMqAddress,
    node: String,
    port_mapper_port: u16,
    distribution_port: u16,
    folder: ServerFolder,
}

impl RabbitMqServer {
    /// Starts a server and waits until it answers: five to ten seconds.
    ///
    /// # Errors
    /// When RabbitMQ is not installed, or did not start; the error shows the end of its log.
    pub fn start(tuning: Tuning) -> Result<Self> {
        let mut server = Self::launch(tuning)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts a server without waiting until it answers.
    ///
    /// # Errors
    /// When RabbitMQ is not installed or its configuration cannot be written.
    pub fn launch(tuning: Tuning) -> Result<Self> {
        let programs = install::rabbitmq_programs()?;
        let [amqp, management, port_mapper_port, distribution_port] = free_ports()?;
        let password = random::hex();
        let address = RabbitMqAddress {
            amqp: ServerAddress::on_loopback("amqp", amqp, &password),
            management: ServerAddress::on_loopback("http", management, &password),
        };
        let folder = ServerFolder::create("rabbitmq", tuning)?;
        for (file, text) in configuration(&address, tuning) {
            fs::write(folder.path().join(file), text).with_context(|| format!("writing RabbitMQ's {file}"))?;
        }
        let mut epmd = Command::new(&programs.port_mapper);
        epmd.args(["-address", "127.0.0.1", "-port", &port_mapper_port.to_string()]).current_dir(folder.path());
        let mut port_mapper = ServerProcess::launch("epmd", epmd, "KILL", &folder)?;
        port_mapper.wait_until(PATIENCE, || answers(port_mapper_port))?;
        let node = format!("testbed-{}@localhost", random::hex());
        let mut server = Self {
            broker: None,
            _port_mapper: port_mapper,
            programs,
            address,
            node,
            port_mapper_port,
            distribution_port,
            folder,
        };
        server.launch_again()?;
        Ok(server)
    }

    /// Where it listens, with the login of an administrator.
    #[must_use]
    pub fn address(&self) -> &RabbitMqAddress {
        &self.address
    }

    /// URL of its default virtual host.
    #[must_use]
    pub fn url(&self) -> String {
        self.address.amqp.url("%2f")
    }

    /// Whether it is not running, stopped by us or by itself.
    pub fn has_ended(&mut self) -> bool {
        self.broker.as_mut().is_none_or(ServerProcess::has_ended)
    }

    /// Ends it in order, keeping its durable queues.
    pub fn stop(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            broker.stop("TERM");
        }
    }

    /// Ends it as a power switch would, keeping what is on disk.
    ///
    /// RabbitMQ writes its table of queues, bindings and users a moment after it has confirmed a change: a queue declared
    /// right before the crash was missing afterwards once in about thirty tries. Clients have to declare again what they
    /// need, and a test that needs a queue to survive calls [`RabbitMqServer::stop`] first.
    pub fn crash(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            broker.kill();
        }
    }

    /// Stops it from running without closing a connection, as a hung machine would, until [`RabbitMqServer::thaw`].
    pub fn freeze(&self) {
        if let Some(broker) = &self.broker {
            broker.signal_group("STOP");
        }
    }

    /// Lets it run again after [`RabbitMqServer::freeze`].
    pub fn thaw(&self) {
        if let Some(broker) = &self.broker {
            broker.signal_group("CONT");
        }
    }

    /// Sets how much memory it may use. With less than it uses, it is alarmed and takes no more messages from publishers.
    ///
    /// # Errors
    /// When it cannot be told so.
    pub fn limit_memory(&self, megabytes: u32) -> Result<()> {
        let mut control = Command::new(&self.programs.control);
        self.environment(&mut control);
        let limit = format!("{megabytes}MiB");
        control.args(["set_vm_memory_high_watermark", "absolute", &limit]).stdin(Stdio::null());
        let output = control.output().context("starting rabbitmqctl")?;
        anyhow::ensure!(output.status.success(), "rabbitmqctl: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Starts it again after [`RabbitMqServer::stop`] or [`RabbitMqServer::crash`], on the same ports and data.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        self.launch_again()?;
        self.wait_until_ready()
    }

    /// Waits until it answers on both ports.
    ///
    /// # Errors
    /// When it ends or takes too long instead.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let Some(broker) = &mut self.broker else { anyhow::bail!("the RabbitMQ server was stopped") };
        let RabbitMqAddress { amqp, management } = &self.address;
        broker.wait_until(PATIENCE, || {
            answers(amqp.port)
                && answers(management.port)
                && management::request(management, "GET", "/api/whoami", "").is_ok()
        })
    }

    fn launch_again(&mut self) -> Result<()> {
        let mut command = Command::new(&self.programs.server);
        self.environment(&mut command);
        // The script then becomes the server itself: the process id we get is the one to signal.
        command.env("RUNNING_UNDER_SYSTEMD", "true").env_remove("NOTIFY_SOCKET");
        // Its own SIGTERM takes seconds to keep what is thrown away in the next moment.
        self.broker = Some(ServerProcess::launch("rabbitmq", command, "KILL", &self.folder)?);
        Ok(())
    }

    /// What the server and the programs that talk to it must know.
    fn environment(&self, command: &mut Command) {
        let folder = self.folder.path();
        let file = |name: &str| -> PathBuf { folder.join(name) };
        command
            .current_dir(folder)
            // Erlang keeps its cookie there, RabbitMQ everything else.
            .env("HOME", folder)
            .env("RABBITMQ_BASE", folder)
            .env("RABBITMQ_CONF_ENV_FILE", file("environment"))
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", file("generated"))
            .env("RABBITMQ_MNESIA_BASE", file("mnesia"))
            .env("RABBITMQ_FEATURE_FLAGS_FILE", file("feature_flags"))
            .env("RABBITMQ_SCHEMA_DIR", file("schema"))
            .env("RABBITMQ_LOG_BASE", folder)
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_PID_FILE", file("pid"))
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.address.amqp.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.port_mapper_port.to_string());
    }
}

/// Names and contents of the files it reads.
fn configuration(address: &RabbitMqAddress, tuning: Tuning) -> [(&'static str, String); 4] {
    let RabbitMqAddress { amqp, management } = address;
    // How old the depth of a queue may be that the management reports, in milliseconds.
    let (statistics_age, raft_log) = match tuning {
        Tuning::Tests => (100, "64000000"),
        Tuning::Benchmark => (5_000, "512000000"),
    };
    let main = format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp_port}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {management_port}\n\
         default_user = {user}\n\
         default_pass = {password}\n\
         loopback_users = none\n\
         disk_free_limit.absolute = 50MB\n\
         vm_memory_high_watermark.absolute = 2GB\n\
         log.console = true\n\
         log.console.level = warning\n\
         log.file = false\n\
         raft.wal_max_size_bytes = {raft_log}\n\
         collect_statistics_interval = {statistics_age}\n",
        amqp_port = amqp.port,
        management_port = management.port,
        user = amqp.user,
        password = amqp.password,
    );
    [
        ("rabbitmq.conf", main),
        ("advanced.config", format!("[{{rabbit, [{{quorum_tick_interval, {statistics_age}}}]}}].\n")),
        ("enabled_plugins", "[rabbitmq_management].\n".to_owned()),
        ("environment", String::new()),
    ]
}
