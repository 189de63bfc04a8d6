//! `crypto-tracker rates`: what currencies are worth, from files.

#![allow(clippy::print_stdout, reason = "the output of a command line is what it prints")]

use anyhow::{Context as _, bail};
use chrono::Utc;
use database::rates::Import;
use domain::{
    RateReport,
    rate::{MOST_RATES, file, is_currency},
};

use crate::{settings::Rates, sql_command::connect};

/// Takes them in, file by file.
pub(crate) async fn run(wanted: &Rates) -> anyhow::Result<()> {
    let base = wanted.base.trim().to_uppercase();
    if !is_currency(&base) {
        bail!("--base {:?} is no code of a currency; write three letters: EUR", wanted.base);
    }
    if !domain::exchange::is_name(&wanted.source) {
        bail!("--source {:?} is no name; write 1 to 32 of a-z, 0-9 and _", wanted.source);
    }
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        file::read(&text, &base).with_context(|| format!("{} is not taken in", path.display()))
    };
    // One that cannot be read stops all of them, before anything is written.
    let files = wanted.files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let client = connect(&wanted.asked).await?;
    for (path, told) in wanted.files.iter().zip(files) {
        let (mut count, mut changed) = (0, 0);
        for (base, rates) in told {
            for rates in rates.chunks(MOST_RATES) {
                let (source, base, rates) = (wanted.source.clone(), base.clone(), rates.to_vec());
                count += rates.len();
                changed += carry_out(&client, Import(RateReport { source, at: Utc::now(), base, rates })).await?;
            }
        }
        println!("{}: {count} rates, of which {changed} are new or other than they were", path.display());
    }
    Ok(())
}

async fn carry_out(client: &database::Client, import: Import) -> anyhow::Result<u64> {
    match import.carry_out(client).await {
        Err(error) if error.sql_state().is_some_and(|state| ["42601", "42883"].contains(&state.code())) => {
            bail!(
                "the database knows no rates yet; let crypto-tracker (or the db-handler) of this version start once first"
            )
        }
        outcome => Ok(outcome?),
    }
}
