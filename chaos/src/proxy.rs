//! A network that can be broken: bytes pass, or they do not.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// They pass.
    Up,
    /// Connections are cut, and new ones at once.
    Cut,
    /// Connections stand, and nothing passes.
    Stalled,
    /// What the servers say is at its end; what the clients say still passes.
    HalfClosed,
    /// They pass so much later.
    Slow(Duration),
}

/// Stands before one server.
pub struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
}

impl Proxy {
    /// Passes on what comes to a port of its own.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn before(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (network, state) = watch::channel(Network::Up);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, server, state.clone()));
            }
        });
        Ok(Self { address, network })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn connect(client: TcpStream, server: SocketAddr, network: watch::Receiver<Network>) {
    if *network.borrow() == Network::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(pump(from_client, to_server, network.clone(), false), pump(from_server, to_client, network, true));
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut network: watch::Receiver<Network>, to_client: bool) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            changed = network.changed() => {
                if changed.is_err() || !passes(&mut network, to_client).await {
                    break;
                }
                continue;
            }
        };
        let Ok(count @ 1..) = read else { break };
        if !passes(&mut network, to_client).await || to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    // An error means that the connection is gone already.
    let _ = to.shutdown().await;
}

/// Waits until bytes may pass; `false` when they never will.
async fn passes(network: &mut watch::Receiver<Network>, to_client: bool) -> bool {
    loop {
        let now = *network.borrow_and_update();
        match now {
            Network::Up => return true,
            Network::Cut => return false,
            Network::HalfClosed => return !to_client,
            Network::Slow(delay) => {
                sleep(delay).await;
                return true;
            }
            Network::Stalled => {}
        }
        if network.changed().await.is_err() {
            return false;
        }
    }
}
