//! `crypto-tracker sql`: asks the running program, for those who have no psql.

use std::io::Write;

use anyhow::Context as _;
use database::{
    Client, DatabaseSettings,
    question::{self, Answer},
};

use crate::settings::{Asked, Sql};

/// How many seconds a question may take. The running program has its own, shorter limit.
const TIME_LIMIT: u32 = 600;

/// Asks, and prints the answer.
pub(crate) async fn run(arguments: &Sql) -> anyhow::Result<()> {
    let client = connect(&arguments.asked).await?;
    print(&ask(&client, &arguments.query).await?, arguments.csv)
}

/// Connects to the server that is named, or else to the running program.
pub(crate) async fn connect(asked: &Asked) -> anyhow::Result<Client> {
    let settings = if asked.database.names_a_server() {
        asked.database.clone()
    } else {
        DatabaseSettings::at(format!("postgres://reader@{}/postgres", asked.sql_bind))
    };
    database::connect(&settings)?.get().await.with_context(|| {
        let location = settings.location();
        if asked.database.names_a_server() {
            format!("the PostgreSQL server at {location} cannot be asked (DATABASE_URL, or POSTGRES_HOST and its like)")
        } else {
            format!("nobody answers SQL at {location}; start crypto-tracker first, or name its address with --sql-bind")
        }
    })
}

/// Asks, and changes nothing.
pub(crate) async fn ask(client: &Client, query: &str) -> anyhow::Result<Vec<Answer>> {
    Ok(question::ask_only(client, query, TIME_LIMIT, false).await?)
}

/// The rows of all answers, each with one text or null per column.
pub(crate) fn rows(answers: Vec<Answer>) -> Vec<Vec<Option<String>>> {
    let rows = |answer| match answer {
        Answer::Rows { rows, .. } => rows,
        Answer::Done(_) => Vec::new(),
    };
    answers.into_iter().flat_map(rows).collect()
}

/// Prints answers.
pub(crate) fn print(answers: &[Answer], csv: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let print = if csv { print_csv } else { print_table };
    match answers.iter().try_for_each(|answer| print(answer, &mut out)) {
        // Whoever read our output has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Prints text.
pub(crate) fn print_text(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever read our output has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

type Out<'a> = std::io::StdoutLock<'a>;

fn print_csv(answer: &Answer, out: &mut Out<'_>) -> std::io::Result<()> {
    let Answer::Rows { columns, rows } = answer else { return Ok(()) };
    let quoted = |text: &str| {
        if text.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let header: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    writeln!(out, "{}", header.join(","))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| quoted(cell.as_deref().unwrap_or_default())).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

fn print_table(answer: &Answer, out: &mut Out<'_>) -> std::io::Result<()> {
    let (columns, rows) = match answer {
        Answer::Rows { columns, rows } => (columns, rows),
        Answer::Done(touched) => return writeln!(out, "done ({touched} rows)"),
    };
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let mut table = vec![columns.clone()];
    table.extend(rows.iter().map(|row| row.iter().map(text).collect()));
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for (number, row) in table.iter().enumerate() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", cells.join(" | ").trim_end())?;
        if number == 0 {
            writeln!(out, "{}", widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("-+-"))?;
        }
    }
    writeln!(out, "({} row{})", rows.len(), if rows.len() == 1 { "" } else { "s" })
}
