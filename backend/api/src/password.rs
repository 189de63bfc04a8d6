//! Passwords: what is taken for one, and their hashes.

use std::sync::LazyLock;

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{Salt, SaltString},
};
use tokio::sync::Semaphore;

/// Shorter ones can be guessed.
const SHORTEST: usize = 10;
/// Longer ones only cost time.
const LONGEST: usize = 256;
/// Each takes 19 MiB and some ten milliseconds of a core.
static HASHING: Semaphore = Semaphore::const_new(2);
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
pub(crate) async fn hash_beside(password: String) -> Result<String, Unhashable> {
    beside(move || hash(&password)).await.unwrap_or_else(|| Err(Unhashable("the work was given up".to_owned())))
}

/// Whether a password has this hash; without one it has not, and it takes as long to say so.
pub(crate) async fn is_right(password: String, hash: Option<String>) -> bool {
    let compare = move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let parsed = PasswordHash::new(&hash);
        let same = parsed.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        same && known
    };
    beside(compare).await.unwrap_or(false)
}

/// Works on a thread that may wait; a few at a time.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let _seat = HASHING.acquire().await.ok()?;
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_has_its_hash_and_the_same_has_another_each_time() {
        let (one, other) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != other);
        assert!(is_right("correct horse".to_owned(), Some(one.clone())).await);
        for (password, hash) in [
            ("correct horsf", Some(one)),
            ("correct horse", None),
            ("nobody has this password", None),
            ("x", Some("no hash".to_owned())),
        ] {
            assert!(!is_right(password.to_owned(), hash).await, "{password}");
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
