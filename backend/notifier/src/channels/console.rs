//! The output of this program, for trying.

use async_trait::async_trait;
use domain::notification::template::one_line;
use tokio::io::AsyncWriteExt as _;

use super::Channel;
use crate::{failure::Failure, message::Message};

/// Longest line.
const LONGEST: usize = 2_000;

pub(super) struct Console;

#[async_trait]
impl Channel for Console {
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        // One line, whatever somebody wrote into it.
        let line = format!("notification {} {}\n", message.id, one_line(&super::whole(message), LONGEST));
        let mut output = tokio::io::stdout();
        let written = async {
            output.write_all(line.as_bytes()).await?;
            output.flush().await
        };
        written.await.map_err(|error| Failure::transient(format!("the output cannot be written: {error}")))
    }
}
