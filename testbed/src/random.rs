//! Names and passwords that no other test, process or run has.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// 16 hexadecimal digits. The standard library seeds `RandomState` from the system's random source, which is enough for
/// a name and for the password of a server that lives for one run on loopback.
pub(crate) fn hex() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}
