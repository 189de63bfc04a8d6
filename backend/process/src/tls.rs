//! One TLS implementation for the whole process.

/// Chooses ring for everything in the process that speaks TLS. Call it before the first connection; again is harmless.
pub fn install() {
    // An error means that a provider is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
