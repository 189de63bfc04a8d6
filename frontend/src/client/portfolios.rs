//! The account's portfolios: what was bought and sold, what it is worth, and what it earned.

use std::time::Duration;

use api_types::{
    Data,
    portfolios::{
        BalanceRow, ImportNews, ImportProgress, ImportRow, PerformanceRow, PortfolioRequest, PortfolioRow,
        TransactionPage, TransactionRequest, TransactionRow, ValueRow,
    },
};
use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use reqwest::{RequestBuilder, Url, header::CONTENT_TYPE};

use super::{Client, ClientError};
use crate::state::portfolio::{Counted, TRANSACTIONS_A_PAGE, Which};

/// A file of many years takes longer than other questions.
const IMPORTED_WITHIN: Duration = Duration::from_secs(120);

/// What a portfolio is compared with: the same money in this coin.
const BENCHMARK: &str = "BTC";

impl Client {
    /// All portfolios, oldest first.
    pub(crate) async fn list_portfolios(&self) -> Result<Vec<PortfolioRow>, ClientError> {
        let found: Data<_> = self.own(self.http.get(self.portfolios(&[]))).await?;
        Ok(found.data)
    }

    /// Makes a portfolio.
    pub(crate) async fn make_portfolio(&self, what: &PortfolioRequest) -> Result<PortfolioRow, ClientError> {
        let made: Data<_> = self.own(self.http.post(self.portfolios(&[])).json(what)).await?;
        Ok(made.data)
    }

    /// Changes a portfolio.
    pub(crate) async fn change_portfolio(
        &self,
        id: i64,
        change: &PortfolioRequest,
    ) -> Result<PortfolioRow, ClientError> {
        let changed: Data<_> = self.own(self.http.patch(self.portfolios(&[&id.to_string()])).json(change)).await?;
        Ok(changed.data)
    }

    /// Deletes a portfolio with its transactions.
    pub(crate) async fn delete_portfolio(&self, id: i64) -> Result<(), ClientError> {
        self.own_away(self.http.delete(self.portfolios(&[&id.to_string()]))).await
    }

    /// What a portfolio is worth.
    pub(crate) async fn find_balance(&self, counted: &Counted) -> Result<BalanceRow, ClientError> {
        let mut url = self.portfolios(&[&counted.portfolio.to_string(), "balance"]);
        let at = counted.day.map(|day| end_of(day).to_rfc3339_opts(SecondsFormat::Micros, true));
        add(&mut url, &[("at", at), ("currency", counted.currency.clone()), ("method", counted.method.clone())]);
        let found: Data<_> = self.own(self.http.get(url)).await?;
        Ok(found.data)
    }

    /// What it was worth at the end of each day, oldest first.
    pub(crate) async fn list_values(&self, counted: &Counted) -> Result<Vec<ValueRow>, ClientError> {
        let found: Data<_> = self.own(self.http.get(self.days_of(counted, "values"))).await?;
        Ok(found.data)
    }

    /// What it earned.
    pub(crate) async fn find_performance(&self, counted: &Counted) -> Result<PerformanceRow, ClientError> {
        let mut url = self.days_of(counted, "performance");
        add(&mut url, &[("benchmark", Some(BENCHMARK.to_owned()))]);
        let found: Data<_> = self.own(self.http.get(url)).await?;
        Ok(found.data)
    }

    /// A page of what was bought and sold, newest first; the first one is 1.
    pub(crate) async fn list_transactions(
        &self,
        portfolio: i64,
        Which { coin, kind, before }: &Which,
    ) -> Result<TransactionPage, ClientError> {
        let mut url = self.portfolios(&[&portfolio.to_string(), "transactions"]);
        let asked = [
            ("symbol", coin.clone()),
            ("type", kind.map(ToOwned::to_owned)),
            ("page", Some((before + 1).to_string())),
            ("page_size", Some(TRANSACTIONS_A_PAGE.to_string())),
        ];
        add(&mut url, &asked);
        self.own(self.http.get(url)).await
    }

    /// Writes a transaction down.
    pub(crate) async fn add_transaction(
        &self,
        portfolio: i64,
        what: &TransactionRequest,
    ) -> Result<TransactionRow, ClientError> {
        let url = self.portfolios(&[&portfolio.to_string(), "transactions"]);
        let added: Data<_> = self.own(self.http.post(url).json(what)).await?;
        Ok(added.data)
    }

    /// Changes a transaction.
    pub(crate) async fn change_transaction(
        &self,
        portfolio: i64,
        number: i64,
        change: &TransactionRequest,
    ) -> Result<TransactionRow, ClientError> {
        let url = self.portfolios(&[&portfolio.to_string(), "transactions", &number.to_string()]);
        let changed: Data<_> = self.own(self.http.patch(url).json(change)).await?;
        Ok(changed.data)
    }

    /// Deletes a transaction.
    pub(crate) async fn delete_transaction(&self, portfolio: i64, number: i64) -> Result<(), ClientError> {
        let url = self.portfolios(&[&portfolio.to_string(), "transactions", &number.to_string()]);
        self.own_away(self.http.delete(url)).await
    }

    /// Says what would be written down of a file.
    pub(crate) async fn preview_import(&self, portfolio: i64, file: Vec<u8>) -> Result<ImportRow, ClientError> {
        let previewed: Data<_> = self.own(self.importing(portfolio, file, &["preview"])).await?;
        Ok(previewed.data)
    }

    /// Writes down what a file says; now and then it is `told` how far that is.
    pub(crate) async fn import(
        &self,
        portfolio: i64,
        file: Vec<u8>,
        skip_mistakes: bool,
        told: impl AsyncFn(ImportProgress),
    ) -> Result<ImportRow, ClientError> {
        let wanted: &[&str] = if skip_mistakes { &["progress", "skip_mistakes"] } else { &["progress"] };
        let mut lines = self.own_lines(self.importing(portfolio, file, wanted)).await?;
        loop {
            match lines.next().await? {
                ImportNews::Progress(progress) => told(progress).await,
                ImportNews::Data(row) => return Ok(row),
                ImportNews::Error(problem) => return Err(ClientError::Refused(Box::new(problem))),
            }
        }
    }

    /// All transactions of a portfolio as a file, which can be imported.
    pub(crate) async fn export(&self, portfolio: i64) -> Result<Vec<u8>, ClientError> {
        let url = self.portfolios(&[&portfolio.to_string(), "export"]);
        self.own_file(self.http.get(url).timeout(IMPORTED_WITHIN)).await
    }

    fn importing(&self, portfolio: i64, file: Vec<u8>, wanted: &[&str]) -> RequestBuilder {
        let mut url = self.portfolios(&[&portfolio.to_string(), "import"]);
        let wanted: Vec<_> = wanted.iter().map(|name| (*name, Some("true".to_owned()))).collect();
        add(&mut url, &wanted);
        self.http.post(url).header(CONTENT_TYPE, "text/csv").timeout(IMPORTED_WITHIN).body(file)
    }

    fn portfolios(&self, rest: &[&str]) -> Url {
        self.api.route(&[&["portfolios"], rest].concat())
    }

    fn days_of(&self, counted: &Counted, what: &str) -> Url {
        let mut url = self.portfolios(&[&counted.portfolio.to_string(), what]);
        add(&mut url, &[("to", counted.day.map(|day| day.to_string())), ("currency", counted.currency.clone())]);
        url
    }
}

/// Adds those parameters that are said.
fn add(url: &mut Url, parameters: &[(&str, Option<String>)]) {
    for (name, value) in parameters {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
}

/// The last moment of a day that counts: the API keeps microseconds.
fn end_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1) - TimeDelta::microseconds(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_its_last_microsecond() {
        let end = end_of("2026-06-30".parse().unwrap());
        assert_eq!(end.to_rfc3339_opts(SecondsFormat::Micros, true), "2026-06-30T23:59:59.999999Z");
    }
}
