//! What only an account may ask: its rules, and what they fired for.

use api_types::{
    Data, Page,
    alerts::{AlertPage, AlertPreview, AlertRequest, AlertRow, FiringRow},
};
use reqwest::StatusCode;
use serde::{Serialize, de::DeserializeOwned};

use super::{Client, ClientError, read, refusal, unreachable_because};

/// Rules on a page, and pages: an account has 2,000 at work or paused at most.
const RULES_A_PAGE: usize = 100;
const PAGES: usize = 30;

impl Client {
    /// All rules but the deleted ones, newest first.
    pub(crate) async fn list_rules(&self) -> Result<Vec<AlertRow>, ClientError> {
        let mut rules = Vec::new();
        for page in 1..=PAGES {
            let mut url = self.api.route(&["alerts"]);
            url.query_pairs_mut()
                .append_pair("page", &page.to_string())
                .append_pair("page_size", &RULES_A_PAGE.to_string());
            let page: AlertPage = self.own(self.http.get(url)).await?;
            rules.extend(page.results);
            if page.next.is_none() {
                break;
            }
        }
        Ok(rules)
    }

    /// The newest firings, or the newest before that number; and whether there are more.
    pub(crate) async fn list_firings(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<FiringRow>, bool), ClientError> {
        let mut url = self.api.route(&["alerts", "firings"]);
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
        if let Some(before) = before {
            url.query_pairs_mut().append_pair("cursor", &before.to_string());
        }
        let page: Page<FiringRow> = self.own(self.http.get(url)).await?;
        Ok((page.data, page.next_cursor.is_some()))
    }

    /// Makes a rule.
    pub(crate) async fn make_rule(&self, rule: &AlertRequest) -> Result<AlertRow, ClientError> {
        let request = self.http.post(self.api.route(&["alerts"])).json(rule);
        let made: Data<AlertRow> = self.own(request).await?;
        Ok(made.data)
    }

    /// What a rule would have fired for in the last 24 hours.
    pub(crate) async fn try_rule(&self, rule: &AlertRequest) -> Result<AlertPreview, ClientError> {
        let request = self.http.post(self.api.route(&["alerts", "preview"])).json(rule);
        let tried: Data<AlertPreview> = self.own(request).await?;
        Ok(tried.data)
    }

    /// Changes a rule.
    pub(crate) async fn change_rule(&self, id: i64, change: &AlertRequest) -> Result<AlertRow, ClientError> {
        let request = self.http.patch(self.api.route(&["alerts", &id.to_string()])).json(change);
        let changed: Data<AlertRow> = self.own(request).await?;
        Ok(changed.data)
    }

    /// Deletes a rule.
    pub(crate) async fn delete_rule(&self, id: i64) -> Result<(), ClientError> {
        self.own_away(self.http.delete(self.api.route(&["alerts", &id.to_string()]))).await
    }

    /// Tokens for what proves who asks. It is asked once: that it comes too often is told.
    pub(super) async fn ask_tokens<T: DeserializeOwned>(
        &self,
        route: &[&str],
        proof: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.http.post(self.api.route(route)).json(proof);
        let response = request.send().await.map_err(|error| unreachable_because(&error))?;
        read("/api/token", response).await
    }

    /// Tells the API that the session of this token is over.
    pub(super) async fn end_session(&self, token: &str) -> Result<(), ClientError> {
        let request = self.http.post(self.api.route(&["api", "logout"])).bearer_auth(token);
        let response = request.send().await.map_err(|error| unreachable_because(&error))?;
        match response.status() {
            // It was over already.
            StatusCode::UNAUTHORIZED => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(refusal("/api/logout", response).await),
        }
    }
}
