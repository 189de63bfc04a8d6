//! The TCP connection under a live client, for cutting it off.
//!
//! A client that stops reading blocks its own connection for ever: what was written to it stays unsent, and no close
//! message fits behind it. Only the socket itself can end that.

use std::{any::Any, net::Shutdown, sync::Arc};

use actix_web::{HttpRequest, dev::Extensions, rt::net::TcpStream};

/// A second handle of a client's socket.
#[derive(Clone)]
pub(crate) struct Connection(Arc<std::net::TcpStream>);

impl Connection {
    /// Keeps a handle of each new connection where its requests find it.
    pub(crate) fn remember(stream: &dyn Any, data: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
        #[cfg(unix)]
        let copy = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned();
        #[cfg(windows)]
        let copy = std::os::windows::io::AsSocket::as_socket(stream).try_clone_to_owned();
        // An error means that there are no file descriptors left; then the connection lives without.
        if let Ok(copy) = copy {
            data.insert(Self(Arc::new(copy.into())));
        }
    }

    /// The connection that a request came on.
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        request.conn_data::<Self>().cloned()
    }

    /// Ends the connection, whatever waits on it.
    pub(crate) fn cut(&self) {
        // An error means that it has ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
