//! `crypto-tracker user`: what an operator does about accounts.

#![allow(clippy::print_stdout, reason = "the output of a command line is what it prints")]

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context as _, bail};
use api::password;
use database::accounts::{self, Change, Role};

use crate::{
    settings::{Asked, User},
    sql_command::connect,
};

/// Does it.
pub(crate) async fn run(action: &User) -> anyhow::Result<()> {
    let (change, asked, done) = match action {
        User::Add { name, admin, email, asked } => {
            let username = username(name)?;
            let role = if *admin { Role::Administrator } else { Role::User };
            let password_hash = hashed(&username)?;
            let done = format!("{username} may log in: POST /api/token");
            (Change::Add { username, role, email: email.clone(), password_hash }, asked, done)
        }
        User::Password { name, asked } => {
            let username = username(name)?;
            let password_hash = hashed(&username)?;
            let done = format!("the password of {username} is set; all sessions have ended");
            (Change::SetPassword { username, password_hash }, asked, done)
        }
        User::Disable { name, asked } => {
            let username = username(name)?;
            let done =
                format!("{username} may not log in any more; all sessions have ended, and the API keys are gone");
            (Change::Disable { username }, asked, done)
        }
        User::Enable { name, asked } => {
            let username = username(name)?;
            let done = format!("{username} may log in again");
            (Change::Enable { username }, asked, done)
        }
    };
    carry_out(&change, asked).await?;
    println!("{done}");
    Ok(())
}

async fn carry_out(change: &Change, asked: &Asked) -> anyhow::Result<()> {
    let Err(error) = change.carry_out(&connect(asked).await?).await else { return Ok(()) };
    match error.sql_state().map(|state| state.code()) {
        Some("23505") => {
            bail!("there is an account of this name already; choose another, or set its password: user password")
        }
        Some("P0002") => bail!("there is no account of this name"),
        Some("23514") => bail!("--email is no address of mail; write it as ada@example.org"),
        Some("3F000" | "42883") => {
            bail!("the database knows no accounts yet; let crypto-tracker (or the db-handler) start once first")
        }
        _ => Err(error.into()),
    }
}

fn username(name: &str) -> anyhow::Result<String> {
    let username = name.trim().to_lowercase();
    if !accounts::is_username(&username) {
        bail!(
            "{name:?} cannot be a name; write 1 to 64 of a-z, 0-9, dot, underscore and hyphen, the first a letter or digit"
        );
    }
    Ok(username)
}

/// The hash of a password that is typed twice, or comes as a line of standard input.
fn hashed(username: &str) -> anyhow::Result<String> {
    let password = if std::io::stdin().is_terminal() {
        let once = rpassword::prompt_password(format!("Password for {username}: ")).context("reading the password")?;
        if once != rpassword::prompt_password("Once more: ").context("reading the password")? {
            bail!("these are two different passwords");
        }
        once
    } else {
        let mut text = String::new();
        std::io::stdin().take(4_096).read_to_string(&mut text).context("reading the password from standard input")?;
        text.lines().next().unwrap_or_default().to_owned()
    };
    match password::mistake(&password) {
        Some(mistake) => bail!(mistake),
        None => Ok(password::hash(&password)?),
    }
}
