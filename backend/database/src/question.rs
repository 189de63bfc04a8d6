//! Questions that somebody else wrote, in SQL, answered as text.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio_postgres::SimpleQueryMessage;

use crate::{Client, Context as _, Error, Result};

/// The answer to one statement of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Rows, each with one text or null per column.
    Rows {
        /// The columns' names.
        columns: Vec<String>,
        /// The rows.
        rows: Vec<Vec<Option<String>>>,
    },
    /// Nothing but the number of rows that were touched.
    Done(u64),
}

/// The longest answer that is given, in bytes of text.
const LONGEST_ANSWER: usize = 64 << 20;

async fn ask(client: &Client, question: &str) -> Result<Vec<Answer>> {
    let mut messages = pin!(client.simple_query_raw(question).await.context("answering")?);
    let (mut answers, mut table, mut bytes) = (Vec::new(), None, 0);
    while let Some(message) = messages.try_next().await.context("answering")? {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                let columns: Vec<String> = columns.iter().map(|column| column.name().to_owned()).collect();
                table = Some((columns, Vec::new()));
            }
            SimpleQueryMessage::Row(row) => {
                if let Some((columns, rows)) = &mut table {
                    let cells: Vec<Option<String>> =
                        (0..columns.len()).map(|at| row.get(at).map(str::to_owned)).collect();
                    bytes += cells.iter().map(|cell| 32 + cell.as_ref().map_or(0, String::len)).sum::<usize>();
                    rows.push(cells);
                }
                if bytes > LONGEST_ANSWER {
                    return Err(Error::AnswerTooLong { megabytes: LONGEST_ANSWER >> 20 });
                }
            }
            SimpleQueryMessage::CommandComplete(touched) => answers.push(match table.take() {
                Some((columns, rows)) => Answer::Rows { columns, rows },
                None => Answer::Done(touched),
            }),
            _ => {}
        }
    }
    Ok(answers)
}

/// Asks inside a read-only transaction, as an analyst where `as_analyst` says so, and leaves nothing behind in the session. Guards against accidents, not against
/// somebody who means to write.
///
/// # Errors
/// When the database refuses, or `seconds` are over.
pub async fn ask_only(client: &Client, question: &str, seconds: u32, as_analyst: bool) -> Result<Vec<Answer>> {
    let limit = format!("SET LOCAL statement_timeout = '{seconds}s'");
    // One by one: the door to the embedded database takes one statement at a time.
    let begin = ["BEGIN READ ONLY", &limit, "SET LOCAL ROLE analyst"];
    let opening = async {
        for statement in &begin[..2 + usize::from(as_analyst)] {
            client.batch_execute(statement).await.context("beginning a read-only transaction")?;
        }
        Ok(())
    };
    let answers = match opening.await {
        Ok(()) => ask(client, question).await,
        Err(error) => Err(error),
    };
    for statement in ["ROLLBACK", "RESET ALL"] {
        client.batch_execute(statement).await.context("ending a read-only transaction")?;
    }
    // The question may have thrown away what others had prepared.
    client.statement_cache.clear();
    answers
}

/// What PostgreSQL estimates that answering costs, in its own unit: about one for each page read and a hundredth for each
/// row looked at. None for a statement that it cannot estimate, which is none that reads rows.
///
/// # Errors
/// When the question cannot be understood, or is more than one.
pub async fn estimate(client: &Client, question: &str) -> Result<Option<f64>> {
    /// Statements that change or show how a session works, and are done at once.
    const AT_ONCE: [&str; 10] =
        ["begin", "commit", "deallocate", "discard", "end", "reset", "rollback", "set", "show", "start"];
    let first_word: String = question.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    if AT_ONCE.contains(&first_word.to_ascii_lowercase().as_str())
        && !question.trim_end().trim_end_matches(';').contains(';')
    {
        return Ok(None);
    }
    // Prepared, so that a second statement behind a semicolon is refused rather than run; and with an option in
    // parentheses, behind which a question that begins with ANALYZE is refused rather than run.
    let explain = client.prepare(&format!("EXPLAIN (COSTS) {question}")).await.context("estimating a question")?;
    let plan = client.query(&explain, &[]).await.context("estimating a question")?;
    let first: Option<&str> = plan.first().map(|line| line.get(0));
    let cost = first.and_then(|line| line.split_once("..")?.1.split_once(' ')?.0.parse().ok());
    Ok(Some(cost.unwrap_or(f64::INFINITY)))
}
