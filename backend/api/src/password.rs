//! Passwords: what is taken for one, and their hashes.

use std::{sync::LazyLock, time::Duration};

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{Salt, SaltString},
};
use tokio::{sync::Semaphore, time::timeout};

use crate::error::{Code, Failure};

/// Shorter ones can be guessed.
const SHORTEST: usize = 10;
/// Longer ones only cost time.
const LONGEST: usize = 256;
/// Each takes 19 MiB and some ten milliseconds of a core.
static HASHING: Semaphore = Semaphore::const_new(2);
/// How long one waits for a seat.
const PATIENCE: Duration = Duration::from_secs(2);
/// Compared with where there is no account, so that an answer takes as long as where there is one.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody has this password").unwrap_or_default());

/// A password cannot be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct Unhashable(String);

/// What is wrong with a password that somebody chooses, if anything; it is not repeated.
pub fn mistake(password: &str) -> Option<String> {
    let length = password.chars().count();
    (!(SHORTEST..=LONGEST).contains(&length))
        .then(|| format!("a password has {SHORTEST} to {LONGEST} characters; this one has {length}"))
}

/// Its hash by Argon2id, with a salt of its own, as it is stored.
///
/// # Errors
/// When the system has no random numbers.
pub fn hash(password: &str) -> Result<String, Unhashable> {
    let mut salt = [0; Salt::RECOMMENDED_LENGTH];
    getrandom::fill(&mut salt).map_err(|error| Unhashable(error.to_string()))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| Unhashable(error.to_string()))?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| Unhashable(error.to_string()))?.to_string())
}

/// The same beside the threads that serve.
pub(crate) async fn hash_beside(password: String) -> Result<String, Failure> {
    beside(move || hash(&password)).await?.map_err(|error| {
        tracing::error!(%error, "a password cannot be hashed");
        Failure::new(Code::Internal, "the password cannot be hashed; the server's log says why")
    })
}

/// Whether a password has this hash; without one it has not, and it takes as long to say so.
pub(crate) async fn is_right(password: String, hash: Option<String>) -> Result<bool, Failure> {
    let compare = move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let parsed = PasswordHash::new(&hash);
        let same = parsed.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        same && known
    };
    beside(compare).await
}

/// Works on a thread that may wait; a few at a time, however many give up waiting for theirs.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let busy = || Failure::new(Code::TooManyLogins, "too many want to log in just now").retry_after(2);
    let seat = timeout(PATIENCE, HASHING.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())?;
    let done = tokio::task::spawn_blocking(move || {
        let _seat = seat;
        work()
    });
    done.await.map_err(|broken| {
        tracing::error!(%broken, "a password cannot be compared");
        Failure::new(Code::Internal, "the password cannot be compared; the server's log says why")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_has_its_hash_and_the_same_has_another_each_time() {
        let (one, other) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != other);
        assert!(is_right("correct horse".to_owned(), Some(one.clone())).await.unwrap());
        for (password, hash) in [
            ("correct horsf", Some(one)),
            ("correct horse", None),
            ("nobody has this password", None),
            ("x", Some("no hash".to_owned())),
        ] {
            assert!(!is_right(password.to_owned(), hash).await.unwrap(), "{password}");
        }
    }

    #[test]
    fn what_is_too_short_or_too_long_is_told_and_not_repeated() {
        assert_eq!(mistake("0123456789"), None);
        for password in ["", "012345678", &"x".repeat(257)] {
            assert!(mistake(password).is_some_and(|said| password.is_empty() || !said.contains(password)));
        }
    }
}
