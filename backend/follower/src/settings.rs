//! How changes are followed.

use clap::{Args, value_parser};

/// What is followed, and how long it is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Following")]
#[group(id = "following")]
pub struct Settings {
    /// Name of the queue at RabbitMQ, in which changes wait while nobody follows. Two followers of one database share one, those of
    /// two have one each
    #[arg(long, env = "FOLLOWER_QUEUE_NAME", value_name = "NAME", default_value = "followed-changes")]
    pub follower_queue_name: String,
    /// For how many days it is kept what a record was before it was changed, and what was removed; without it, for ever
    #[arg(long, env = "FOLLOWER_KEEP_DAYS", value_name = "DAYS", value_parser = value_parser!(u16).range(7..=36_500))]
    pub follower_keep_days: Option<u16>,
}
