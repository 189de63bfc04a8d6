//! The account's portfolios: what somebody looks at is asked for again and again while somebody is logged in, and they
//! are changed as the window orders.

use std::{collections::BTreeSet, io, path::Path, sync::Arc};

use api_types::portfolios::ImportProgress;
use tokio::{
    io::AsyncReadExt,
    sync::{Notify, mpsc, watch},
    time::sleep,
};

use super::{
    Timing,
    alerts::{refusal, rest, while_logged_in},
    backoff::Backoff,
    outbox::{Gone, Outbox},
    refresh::{each, settled},
};
use crate::{
    client::{Client, ClientError},
    state::{
        Refusal, Update,
        portfolio::{CsvFile, Done, Order, Told, Topic},
    },
};

/// The largest file that is read.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// What makes a question worth asking again.
#[derive(Clone)]
pub(super) struct Again {
    /// Something was ordered.
    pub(super) changed: watch::Receiver<()>,
    pub(super) hurry: Arc<Notify>,
    pub(super) timing: Timing,
}

/// Keeps what is wanted fresh until the window is gone.
pub(super) async fn keep(
    client: &Client,
    outbox: &Arc<Outbox>,
    again: Again,
    wanted: watch::Receiver<BTreeSet<Topic>>,
) {
    let keep_all = async || {
        let one = |topic| ask(client.clone(), Arc::clone(outbox), again.clone(), topic);
        each(wanted.clone(), one).await;
        Err(Gone)
    };
    while_logged_in(client, keep_all).await;
}

async fn ask(client: Client, outbox: Arc<Outbox>, mut again: Again, topic: Topic) {
    let mut backoff = Backoff::new(again.timing.backoff_min * 2, again.timing.backoff_max * 2);
    let refresh = match topic {
        // A day adds one row to them.
        Topic::Values(_) | Topic::Performance(_) => again.timing.refresh_values,
        Topic::List | Topic::Balance(_) | Topic::Transactions(..) => again.timing.refresh_balance,
    };
    let mut known = None;
    loop {
        again.changed.mark_unchanged();
        let answer = told(&client, &topic).await;
        let wait = rest(answer.is_ok(), refresh, &mut backoff);
        let answered = answer.as_ref().ok().cloned();
        let is_news = answered.is_none() || answered != known;
        known = answered;
        let update = Update::Portfolio { topic: topic.clone(), outcome: settled(answer, wait) };
        if outbox.put_unless_known(update, is_news).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(wait) => {}
            changed = again.changed.changed() => if changed.is_err() { return },
            () = again.hurry.notified() => {}
        }
    }
}

async fn told(client: &Client, topic: &Topic) -> Result<Told, ClientError> {
    Ok(match topic {
        Topic::List => Told::List(client.list_portfolios().await?),
        Topic::Balance(counted) => Told::Balance(Box::new(client.find_balance(counted).await?)),
        Topic::Values(counted) => Told::Values(client.list_values(counted).await?),
        Topic::Performance(counted) => Told::Performance(Box::new(client.find_performance(counted).await?)),
        Topic::Transactions(portfolio, which) => Told::Transactions(client.list_transactions(*portfolio, which).await?),
    })
}

/// Does as the window orders, one after the other, until it is gone.
pub(super) async fn obey(
    client: &Client,
    outbox: &Outbox,
    mut wanted: mpsc::Receiver<(u64, Order)>,
    changed: &watch::Sender<()>,
) {
    while let Some((number, order)) = wanted.recv().await {
        let told = async |progress| drop(outbox.put(Update::PortfolioImport { number, progress }).await);
        let outcome = carry_out(client, &order, told).await;
        let has_changed = !matches!(outcome, Err(_) | Ok(Done::Previewed(..)));
        let update = Update::PortfolioAnswered { number, order: Box::new(order), outcome };
        if outbox.put(update).await.is_err() {
            return;
        }
        if has_changed {
            changed.send_replace(());
        }
    }
}

async fn carry_out(client: &Client, order: &Order, told: impl AsyncFn(ImportProgress)) -> Result<Done, Refusal> {
    let portfolio = |row| Done::Portfolio(Box::new(row));
    let transaction = |row| Done::Transaction(Box::new(row));
    let done = match order {
        Order::Make(what) => client.make_portfolio(what).await.map(portfolio),
        Order::Change(id, change) => client.change_portfolio(*id, change).await.map(portfolio),
        Order::Delete(id) => client.delete_portfolio(*id).await.map(|()| Done::Deleted),
        Order::Add(id, what) => client.add_transaction(*id, what).await.map(transaction),
        Order::Edit(id, number, change) => client.change_transaction(*id, *number, change).await.map(transaction),
        Order::Remove(id, number) => client.delete_transaction(*id, *number).await.map(|()| Done::Deleted),
        Order::Preview(id, path) => {
            let content = read(path).await.map_err(|error| unreadable(path, &error))?;
            let file = CsvFile { path: path.clone(), content: content.into() };
            let previewed = client.preview_import(*id, file.content.to_vec()).await;
            previewed.map(|row| Done::Previewed(row, file))
        }
        Order::Import { portfolio, file, skip_mistakes } => {
            client.import(*portfolio, file.content.to_vec(), *skip_mistakes, told).await.map(Done::Imported)
        }
    };
    done.map_err(refusal)
}

/// What is in the file, unless that is more than any ledger has.
async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(MOST_BYTES + 1).read_to_end(&mut content).await?;
    if content.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it has more than 32 MB"));
    }
    Ok(content)
}

fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    Refusal { words: format!("{} cannot be read: {error}", path.display()), parameter: None }
}
