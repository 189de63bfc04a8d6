//! Ledgers of portfolios, counted in a currency and kept in memory: what a balance of any moment is made of.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use database::{
    Client,
    portfolios::{Ledger, LedgerVersion, Valued, find_ledger},
};
use domain::portfolio::Kind;

use crate::error::Failure;

/// So many transactions are kept, of all portfolios together; those that were not asked for longest go first.
const MOST: usize = 2_000_000;
/// How long prices of the past are relied on: they change where what was missing of them is fetched. Rates of banks that come are seen at
/// once, by the ledger's version.
const LASTING: Duration = Duration::from_secs(600);

/// All of them. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<HashMap<(i64, String), Kept>>>);

/// A portfolio's trades in one currency.
#[derive(Debug, Default)]
pub(crate) struct Book {
    version: LedgerVersion,
    /// What can be counted, and what cannot.
    pub(crate) valued: Valued,
    /// When coins were brought in or taken out.
    pub(crate) transfers: Vec<DateTime<Utc>>,
}

struct Kept {
    book: Arc<Book>,
    read: Instant,
    asked: Instant,
}

impl Books {
    /// The trades of a portfolio as they stand.
    pub(crate) async fn find(&self, client: &Client, portfolio_id: i64, currency: &str) -> Result<Arc<Book>, Failure> {
        let key = (portfolio_id, currency.to_owned());
        let kept = self.kept(&key);
        let known = kept.as_ref().map(|book| book.version);
        let Some(ledger) = find_ledger(client, portfolio_id, known).await? else {
            return Ok(kept.unwrap_or_default());
        };
        let (version, transfers) = (ledger.version, transfers(&ledger));
        let book = Arc::new(Book { version, valued: ledger.valued(client, currency).await?, transfers });
        self.keep(&key, book.clone());
        Ok(book)
    }

    fn kept(&self, key: &(i64, String)) -> Option<Arc<Book>> {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = books.get_mut(key).filter(|kept| kept.read.elapsed() < LASTING)?;
        kept.asked = Instant::now();
        Some(kept.book.clone())
    }

    fn keep(&self, key: &(i64, String), book: Arc<Book>) {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        books.retain(|_, kept| kept.read.elapsed() < LASTING);
        books.insert(key.clone(), Kept { book, read: now, asked: now });
        let size = |books: &HashMap<_, Kept>| books.values().map(|kept| kept.book.size()).sum::<usize>();
        while size(&books) > MOST {
            let others = books.iter().filter(|(other, _)| *other != key);
            let Some(oldest) = others.min_by_key(|(_, kept)| kept.asked).map(|(other, _)| other.clone()) else {
                return;
            };
            books.remove(&oldest);
        }
    }
}

impl Book {
    /// How many transactions it holds; one that holds none takes room, too.
    fn size(&self) -> usize {
        1_000 + self.valued.trades.len() + self.valued.unvalued.len() + self.transfers.len()
    }
}

fn transfers(ledger: &Ledger) -> Vec<DateTime<Utc>> {
    ledger.entries.iter().filter(|(_, entry)| entry.kind != Kind::Trade).map(|(_, entry)| entry.at).collect()
}
