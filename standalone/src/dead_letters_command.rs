//! `crypto-tracker dead-letters`: what an operator does about messages that could not be stored.

#![allow(clippy::print_stdout, reason = "the output of a command line is what it prints")]

use std::{
    fmt::Write as _,
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use database::{Client, dead_letters::Decision};

use crate::{
    settings::{Chosen, DeadLetters},
    sql_command::{ask, connect, print, rows},
};

/// How long a db-handler may take to put a message back before we leave it to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does it.
pub(crate) async fn run(action: &DeadLetters) -> anyhow::Result<()> {
    let out = match action {
        DeadLetters::List { limit, csv, asked } => return list(&connect(asked).await?, *limit, *csv).await,
        DeadLetters::Show { id, body, asked } => show(&connect(asked).await?, *id, *body).await?,
        DeadLetters::Replay(chosen) => return replay(&connect(&chosen.asked).await?, chosen).await,
        DeadLetters::Drop(chosen) => return drop_all(&connect(&chosen.asked).await?, chosen).await,
    };
    match std::io::stdout().lock().write_all(&out) {
        // Whoever read our output has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

async fn list(client: &Client, limit: u32, csv: bool) -> anyhow::Result<()> {
    let query = format!(
        "SELECT id, to_char(set_aside_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS set_aside_at_utc, topic, bytes, reason
         FROM dead_letters ORDER BY id DESC LIMIT {limit}"
    );
    print(&ask(client, &query).await?, csv)
}

async fn show(client: &Client, id: i64, body_only: bool) -> anyhow::Result<Vec<u8>> {
    let query = format!(
        "SELECT set_aside_at, topic, reason, message_id, replay_asked_at, encode(body, 'hex') FROM dead_letter WHERE id = {id}"
    );
    let row = rows(ask(client, &query).await?).pop().with_context(|| unknown(id))?;
    let [set_aside_at, topic, reason, message_id, replay_asked_at, body] = row.as_slice() else {
        anyhow::bail!("the database answers something else than was asked");
    };
    let body = unhex(body.as_deref().unwrap_or_default());
    if body_only {
        return Ok(body);
    }
    let text = |cell: &Option<String>| printable(cell.as_deref().unwrap_or_default());
    let mut out = String::new();
    writeln!(out, "id            {id}")?;
    writeln!(out, "set aside at  {}", text(set_aside_at))?;
    writeln!(out, "topic         {}", text(topic))?;
    writeln!(out, "reason        {}", text(reason))?;
    writeln!(out, "message id    {}", text(message_id))?;
    if replay_asked_at.is_some() {
        writeln!(out, "to be put back in the queue since {}", text(replay_asked_at))?;
    }
    writeln!(out, "{} bytes:\n{}", body.len(), printable(&String::from_utf8_lossy(&body)))?;
    Ok(out.into_bytes())
}

/// A message may hold anything, and a terminal obeys control characters.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() && letter != '\n' { '\u{fffd}' } else { letter }).collect()
}

async fn replay(client: &Client, chosen: &Chosen) -> anyhow::Result<()> {
    let mut failures = Failures::default();
    let mut asked = Vec::new();
    for id in choose(client, chosen).await? {
        match decide(client, Decision::Replay(id)).await? {
            true => asked.push(id),
            false => failures.unknown(id, chosen),
        }
    }
    let begin = Instant::now();
    for id in asked {
        let query = format!("SELECT id FROM dead_letters WHERE id = {id}");
        loop {
            if rows(ask(client, &query).await?).is_empty() {
                println!("dead letter {id} is back in the queue; refused once more, it is listed again under a new id");
                break;
            }
            if begin.elapsed() > PATIENCE {
                println!("dead letter {id} goes back to the queue as soon as a db-handler runs and the queue takes it");
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    failures.told()
}

async fn drop_all(client: &Client, chosen: &Chosen) -> anyhow::Result<()> {
    let mut failures = Failures::default();
    for id in choose(client, chosen).await? {
        match decide(client, Decision::Drop(id)).await? {
            true => println!("dead letter {id} is deleted"),
            false => failures.unknown(id, chosen),
        }
    }
    failures.told()
}

/// Those that were named and that there are not. The others are seen to all the same.
#[derive(Default)]
struct Failures(Vec<i64>);

impl Failures {
    fn unknown(&mut self, id: i64, chosen: &Chosen) {
        // Of all of them, one may have gone meanwhile.
        if !chosen.all {
            self.0.push(id);
        }
    }

    fn told(self) -> anyhow::Result<()> {
        let words: Vec<String> = self.0.into_iter().map(unknown).collect();
        if words.is_empty() { Ok(()) } else { Err(anyhow::anyhow!(words.join("\n"))) }
    }
}

async fn choose(client: &Client, chosen: &Chosen) -> anyhow::Result<Vec<i64>> {
    if !chosen.all {
        return Ok(chosen.ids.clone());
    }
    let answers = ask(client, "SELECT id FROM dead_letters ORDER BY id").await?;
    let ids = rows(answers).into_iter().filter_map(|row| row.first()?.as_ref()?.parse().ok()).collect::<Vec<i64>>();
    if ids.is_empty() {
        println!("there are no dead letters");
    }
    Ok(ids)
}

/// `false` when there is no such dead letter.
async fn decide(client: &Client, decision: Decision) -> anyhow::Result<bool> {
    match decision.carry_out(client).await {
        Ok(()) => Ok(true),
        Err(error) if error.sql_state().is_some_and(|state| state.code() == "P0002") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn unknown(id: i64) -> String {
    format!("there is no dead letter {id}; `crypto-tracker dead-letters list` shows which there are")
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}
