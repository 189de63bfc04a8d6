//! Addresses in settings.

use crate::{
    Error,
    rest::{Rest, Terms},
};

/// The address of streams in a setting, without a slash at its end.
///
/// # Errors
/// When it is none, in words that name the setting, its value and a remedy.
pub(crate) fn of_streams(setting: &str, address: &str) -> Result<String, Error> {
    let address = address.trim().trim_end_matches('/');
    if address.starts_with("ws://") || address.starts_with("wss://") {
        return Ok(address.to_owned());
    }
    Err(Error(format!("{setting} {address:?} is not an address of streams; write wss://host")))
}

/// The host in a setting, to be asked on these terms.
///
/// # Errors
/// When it is none, in words that name the setting, its value and a remedy.
pub(crate) fn of_rest(setting: &str, address: &str, terms: Terms) -> Result<Rest, Error> {
    Rest::new(address.trim(), terms).map_err(|mistake| Error(format!("{setting}: {mistake}")))
}
