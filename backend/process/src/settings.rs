//! Reading settings: flags first, then environment variables, then the file `.env`, then defaults.

use clap::Parser;

/// Reads the settings of a program from its flags, its environment and `.env` in the working directory or above it.
/// On a mistake, or when asked for help, prints what clap has to say and ends the process.
///
/// # Errors
/// When there is an `.env` that cannot be read, with the line at fault.
pub fn read<S: Parser>() -> Result<S, SettingsError> {
    load_dotenv()?;
    Ok(S::parse())
}

fn load_dotenv() -> Result<(), SettingsError> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        Err(dotenvy::Error::LineParse(line, position)) => {
            // The line may hold a password: only its name is shown.
            let name = line.split_once('=').map(|(name, _)| name.trim().to_owned()).unwrap_or_default();
            Err(SettingsError::Line { name, position })
        }
        Err(error) => Err(SettingsError::File(error)),
    }
}

/// The file `.env` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A line is not `NAME=value`.
    #[error(
        ".env: the line that begins with {name:?} cannot be read (at character {position}); write NAME=value, and quote values that hold spaces"
    )]
    Line {
        /// What stands before the equals sign.
        name: String,
        /// Where reading stopped.
        position: usize,
    },
    /// The file cannot be read.
    #[error(".env cannot be read: {0}")]
    File(dotenvy::Error),
}
