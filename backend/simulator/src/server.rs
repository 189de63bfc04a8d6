//! The running exchange: its tasks, its listening socket, and the handle by which it is driven.
//!
//! The port stays ours during an outage: a second socket is bound to it for as long as the exchange lives, and never
//! listens. While the listening socket is closed, the system therefore refuses connections, and no other process can
//! take the port before it is opened again.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{HttpServer, dev::ServerHandle, web::Data};
use rust_decimal::Decimal;
use tokio::{
    net::TcpSocket,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Fault, PublishedTrade, Settings, SimulatorError, Source, coinbase, kraken,
    listings::{Command, ListingError},
    market::Market,
    pace::Walker,
    pulse, recording, replay, rest, stream,
    venue::{Venue, now_ms},
};

/// A running exchange. Dropping it ends it as well as [`stop`](Self::stop), only without waiting for the end.
pub struct Simulator {
    address: SocketAddr,
    venue: Arc<Venue>,
    walker: Option<Arc<Walker>>,
    tasks: Vec<JoinHandle<()>>,
    stop: DropGuard,
}

impl Simulator {
    /// Listens and, unless told to wait, begins to trade. Needs a Tokio runtime; serves on threads of its own.
    ///
    /// # Errors
    /// When a setting makes no sense, the address is taken, or the recording cannot be read.
    pub async fn start(mut settings: Settings) -> Result<Self, SimulatorError> {
        settings.check()?;
        let mut first_id = settings.first_trade_id.unwrap_or_else(|| now_ms() * 1_000);
        let mut contents = None;
        if let Source::Replay { path, .. } = &settings.source {
            let failed = |source| SimulatorError::Recording { path: path.clone(), source };
            let scanned = {
                let path = path.clone();
                tokio::task::spawn_blocking(move || recording::scan(&path)).await.map_err(io::Error::other)
            };
            let scanned = scanned.and_then(|scanned| scanned).map_err(failed)?;
            settings.symbols.clone_from(&scanned.symbols);
            first_id = 0;
            contents = Some(scanned);
        }

        let failed = |source| SimulatorError::Bind { address: settings.bind, source };
        let listener = first_listen(settings.bind).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let reservation = reserve(address).map_err(failed)?;

        let (outages_in, outages) = mpsc::channel(4);
        let venue = Arc::new(Venue::new(&settings, settings.symbols.clone(), first_id, outages_in));
        let walker = matches!(settings.source, Source::RandomWalk).then(|| {
            let market = Market::new(settings.seed, &settings.symbols, settings.trades_per_second);
            Arc::new(Walker::new(venue.clone(), market))
        });
        let app = App { venue: venue.clone(), walker: walker.clone() };
        let server = serve(listener, &app).map_err(failed)?;
        let stop = CancellationToken::new();
        let mut tasks = vec![tokio::spawn(supervise(server, reservation, address, app, outages, stop.clone()))];
        tasks.push(spawn_until(&stop, {
            let venue = venue.clone();
            async move { pulse::run(&venue).await }
        }));
        match (settings.source, contents) {
            (Source::Replay { path, speed, shift_times }, Some(contents)) => {
                let replay = replay::run(venue.clone(), contents, path, speed, shift_times);
                tasks.push(spawn_until(&stop, replay));
            }
            _ => {
                let rate = settings.trades_per_second;
                if let Some(walk) = walker.clone().filter(|_| rate > 0.0) {
                    tasks.push(spawn_until(&stop, async move { walk.run(rate).await }));
                }
            }
        }
        tracing::info!(%address, symbols = venue.listings.all().len(), "the simulated exchange listens");
        Ok(Self { address, venue, walker, tasks, stop: stop.drop_guard() })
    }

    /// Where Binance's REST is: `http://127.0.0.1:port`, without the `/api/v3`.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where Binance's streams are: `ws://127.0.0.1:port`, without the `/ws` or `/stream`.
    pub fn stream_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where Coinbase's REST is: `http://127.0.0.1:port/coinbase`, without the `/products`.
    pub fn coinbase_rest_url(&self) -> String {
        format!("http://{}/coinbase", self.address)
    }

    /// Where Coinbase's streams are: `ws://127.0.0.1:port/coinbase`.
    pub fn coinbase_stream_url(&self) -> String {
        format!("ws://{}/coinbase", self.address)
    }

    /// Where Kraken's REST is: `http://127.0.0.1:port/kraken`, without the `/0/public`.
    pub fn kraken_rest_url(&self) -> String {
        format!("http://{}/kraken", self.address)
    }

    /// Where Kraken's streams are: `ws://127.0.0.1:port/kraken/v2`.
    pub fn kraken_stream_url(&self) -> String {
        format!("ws://{}/kraken/v2", self.address)
    }

    /// Every trade of the symbol that is still retained, oldest first; none for an unknown symbol.
    pub fn published(&self, ticker: &str) -> Vec<PublishedTrade> {
        self.venue.listings.find(ticker).map(|index| self.venue.at(index).ledger().all()).unwrap_or_default()
    }

    /// The listed tickers.
    pub fn tickers(&self) -> Vec<String> {
        self.venue.listings.all().into_iter().map(|(_, listed)| listed.symbol.ticker.clone()).collect()
    }

    /// How many of Binance's connections listen to the stream, such as `btcusdt@trade`.
    pub fn listeners(&self, stream: &str) -> usize {
        self.venue.hub.listeners(stream)
    }

    /// How many of Coinbase's connections listen to a channel of a product, such as `matches` of `BTC-USDT`.
    pub fn coinbase_listeners(&self, channel: &str, product: &str) -> usize {
        self.venue.hub.listeners(&coinbase::stream_name(channel, product))
    }

    /// How many of Kraken's connections listen to a channel of a pair, such as `trade` of `BTC/USDT`.
    pub fn kraken_listeners(&self, channel: &str, symbol: &str) -> usize {
        self.venue.hub.listeners(&kraken::stream_name(channel, symbol))
    }

    /// No trades until [`resume`](Self::resume), except those that [`emit`](Self::emit) asks for.
    pub fn pause(&self) {
        self.venue.paused.send_replace(true);
    }

    /// Goes on, without making up for the pause.
    pub fn resume(&self) {
        self.venue.paused.send_replace(false);
    }

    /// Makes exactly so many trades of each trading symbol now, as fast as the clients read, paused or not, and returns
    /// how many in all. When it returns they are in the clients' queues. A replay makes none.
    ///
    /// A client that leaves no room in its queue for five seconds is no longer waited for, and cut.
    pub async fn emit(&self, trades_per_symbol: u64) -> u64 {
        match &self.walker {
            Some(walker) => walker.emit(trades_per_symbol).await,
            None => 0,
        }
    }

    /// Lists a pair from now on, which trades from this price; one that was delisted begins anew.
    ///
    /// # Errors
    /// When it is listed already, makes no sense as a pair, or the market is a recording.
    pub fn list(&self, ticker: &str, base: &str, quote: &str, price: Decimal) -> Result<(), ListingError> {
        self.command(Command::Add { ticker: ticker.to_owned(), base: base.to_owned(), quote: quote.to_owned(), price })
    }

    /// Lists a pair no longer: it trades no more, and who asks for it hears that it does not exist.
    ///
    /// # Errors
    /// When it is not listed, is the last that trades, or the market is a recording.
    pub fn delist(&self, ticker: &str) -> Result<(), ListingError> {
        self.command(Command::Remove { ticker: ticker.to_owned() })
    }

    /// Goes on with a pair under another name, with the same coins and the same trades.
    ///
    /// # Errors
    /// When it is not listed, the other name is taken, or the market is a recording.
    pub fn rename(&self, ticker: &str, to: &str) -> Result<(), ListingError> {
        self.command(Command::Rename { ticker: ticker.to_owned(), to: to.to_owned() })
    }

    fn command(&self, command: Command) -> Result<(), ListingError> {
        self.walker.as_ref().ok_or(ListingError::Replay)?.list(command)
    }

    /// Whether the recording was replayed to its end.
    pub fn replay_ended(&self) -> bool {
        self.venue.replay_ended()
    }

    /// Makes something go wrong. [`Fault::RefuseConnections`] begins a moment after this returns, every other at once.
    pub fn inject(&self, fault: Fault) {
        self.venue.inject(fault);
    }

    /// Ends all connections and tasks, and frees the port.
    pub async fn stop(self) {
        self.stop.disarm().cancel();
        for task in self.tasks {
            // A task that panicked or was aborted has ended too.
            let _ = task.await;
        }
    }
}

fn spawn_until(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    })
}

struct Running {
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn end(self) {
        self.handle.stop(false).await;
        let _ = self.task.await;
    }
}

/// Keeps the server up until it is told to stop, except for outages.
async fn supervise(
    mut server: Running,
    reservation: Option<TcpSocket>,
    address: SocketAddr,
    app: App,
    mut outages: mpsc::Receiver<Duration>,
    stop: CancellationToken,
) {
    loop {
        let outage = tokio::select! {
            () = stop.cancelled() => None,
            outage = outages.recv() => outage,
        };
        server.end().await;
        app.venue.hub.cut_all();
        let Some(length) = outage else { break };
        let over = Instant::now() + length;
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep_until(over) => {}
        }
        server = loop {
            match listen(address).and_then(|listener| serve(listener, &app)) {
                Ok(server) => break server,
                Err(error) => tracing::warn!(%error, %address, "the simulator cannot listen again yet"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
    }
    drop(reservation);
}

/// What requests are about.
struct App {
    venue: Arc<Venue>,
    /// None where the market is a recording.
    walker: Option<Arc<Walker>>,
}

fn serve(listener: TcpListener, app: &App) -> io::Result<Running> {
    let (venue, walker) = (Data::from(app.venue.clone()), Data::new(app.walker.clone()));
    let app = move || {
        let app = actix_web::App::new().app_data(venue.clone()).app_data(walker.clone());
        app.configure(rest::routes)
            .configure(stream::routes)
            .configure(coinbase::rest::routes)
            .configure(kraken::rest::routes)
    };
    let server = HttpServer::new(app).workers(2).disable_signals().tcp_nodelay(true).listen(listener)?.run();
    Ok(Running { handle: server.handle(), task: tokio::spawn(server) })
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    #[cfg(unix)]
    {
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
    }
    socket.bind(address)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    socket(address)?.listen(1_024)?.into_std()
}

/// Listens where nobody else does. A shared port (see [`reserve`]) could otherwise be shared with a second simulator.
fn first_listen(address: SocketAddr) -> io::Result<TcpListener> {
    if address.port() != 0 {
        drop(TcpListener::bind(address)?);
    }
    listen(address)
}

/// The socket that holds the port without listening, where the system can share ports.
fn reserve(address: SocketAddr) -> io::Result<Option<TcpSocket>> {
    if cfg!(unix) { socket(address).map(Some) } else { Ok(None) }
}
