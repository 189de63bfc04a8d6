//! What an alert would have fired for, before it is made.

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    alerts::{AlertPreview, AlertRequest, PreviewedFiring},
};
use chrono::{DateTime, TimeDelta, Utc};
use database::{
    Client,
    alerts::{
        past::{self, Minute},
        rules::{About, Definition, Evaluate},
    },
};
use domain::alert::{
    Bar, Condition, Firing, Rule, State as Standing, Subject, bars, likely_prices, on_close, on_value, replay, said,
};
use rust_decimal::Decimal;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use crate::{
    alert_request::{about, definition},
    apart::apart,
    auth::Reading,
    body::Body,
    error::{Code, Failure},
    openapi::{AccountFailures, Failures},
    parameters::{Asked, FromQuery, Own, Query},
    server::State,
};

/// More ticks than this are not read: the minutes tell it too.
const MOST_TICKS: usize = 100_000;

/// How far back it may be looked.
const LONGEST: TimeDelta = TimeDelta::days(31);

/// How many look at the same time.
static LOOKING: Semaphore = Semaphore::const_new(2);

/// So many firings are told.
const MOST_TOLD: usize = 100;

/// Over which span it is tried.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Tried {
    /// From when on, at most 31 days before `to`. 24 hours before where not said.
    #[param(value_type = Option<String>, example = "2026-11-20T12:00:00Z")]
    from: DateTime<Utc>,
    /// Until when. Now where not said.
    #[param(value_type = Option<String>)]
    to: DateTime<Utc>,
}

impl FromQuery for Tried {
    const NAMES: &'static [&'static str] = &["from", "to"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let (from, to) = query.span(Utc::now())?;
        let from = from.unwrap_or(to - TimeDelta::hours(24));
        if to - from > LONGEST {
            let detail = "so long a span is not looked at";
            return Err(Failure::parameter("from", &from.to_rfc3339(), detail, "at most 31 days before to"));
        }
        Ok(Self { from, to })
    }
}

/// Try an alert on the past: when it would have fired, and how often. Nothing is kept of it
#[utoipa::path(
    post,
    path = "/alerts/preview",
    tag = "alerts",
    security(("bearer" = [])),
    params(Tried),
    request_body = AlertRequest,
    responses((status = 200, description = "What it would have fired for", body = Data<AlertPreview>), AccountFailures, Failures)
)]
pub(crate) async fn preview(
    _who: Reading,
    Asked(Own(Tried { from, to })): Asked<Own<Tried>>,
    state: web::Data<State>,
    Body(request): Body<AlertRequest>,
) -> Result<HttpResponse, Failure> {
    let past = state.reader.read(async |client| {
        let about = about(client, &request).await?;
        let definition = definition(about, &request)?;
        let About::Pair(ticker_id) = about else { return Err(not_kept()) };
        let past = Past::read(client, ticker_id, &definition, from, to).await?;
        Ok((definition, past, names(client, ticker_id).await?))
    });
    let (definition, past, subject) = past.await?;
    // A hundred thousand prices take a moment.
    let _seat = LOOKING.acquire().await;
    let data = apart(move || past.look(&definition, &subject, from, to)).await?;
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

fn not_kept() -> Failure {
    Failure::new(
        Code::NotPreviewed,
        "what this alert looks at is not kept; only alerts on the prices and volumes of a pair can be tried",
    )
}

async fn names(client: &Client, ticker_id: i32) -> Result<Subject, Failure> {
    let (exchange, ticker) = database::tickers::names(client, ticker_id).await?;
    Ok(Subject::Pair { exchange, ticker })
}

/// What is looked at.
struct Past {
    ticks: Option<Vec<domain::alert::Seen>>,
    minutes: Vec<Minute>,
    gaps: Vec<domain::alert::Gap>,
}

impl Past {
    async fn read(
        client: &Client,
        ticker_id: i32,
        definition: &Definition,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let by_tick = matches!(definition.evaluate, Evaluate::Tick)
            && matches!(
                definition.condition,
                Condition::Crosses { .. }
                    | Condition::Reaches { .. }
                    | Condition::Channel { .. }
                    | Condition::Moves { .. }
            );
        let gaps = past::list_gaps(client, ticker_id, from, to).await?;
        let ticks = match by_tick {
            true => past::list_prices(client, ticker_id, from, to, MOST_TICKS).await?,
            false => None,
        };
        if ticks.as_ref().is_some_and(|ticks| !ticks.is_empty()) {
            return Ok(Self { ticks, minutes: Vec::new(), gaps });
        }
        // A window that looks back needs what was before.
        let before = match definition.condition {
            Condition::Volume { minutes, .. } => TimeDelta::minutes(minutes.into()),
            _ => TimeDelta::zero(),
        };
        let limit = (LONGEST + before).num_minutes() + 1;
        let minutes = past::list_minutes(client, ticker_id, from - before, to, limit).await?;
        Ok(Self { ticks: None, minutes, gaps })
    }

    fn look(
        &self,
        definition: &Definition,
        subject: &Subject,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<AlertPreview, Failure> {
        let rule = Rule {
            id: 0,
            condition: definition.condition.clone(),
            frequency: definition.frequency,
            hysteresis: definition.hysteresis,
            tell_late: true,
            since: from,
            expires_at: None,
            state: Standing::default(),
        };
        let (firings, prices, resolution) = match (&definition.condition, &definition.evaluate, &self.ticks) {
            (_, Evaluate::Tick, Some(ticks)) => (replay(rule, None, ticks, &self.gaps), ticks.len(), "tick"),
            (Condition::Closes { bar, .. }, _, _) | (_, Evaluate::Close(bar), _) => (
                on_closes(
                    &rule,
                    &bars(self.minutes.iter().map(|(open, [.., close], volume)| (*open, *close, *volume)), *bar, to),
                ),
                self.minutes.len(),
                "minute",
            ),
            (Condition::Volume { threshold, minutes }, ..) => {
                let fired = volumes(&rule, *threshold, *minutes, &self.minutes, from);
                (fired, self.minutes.len(), "minute")
            }
            (
                Condition::Crosses { .. }
                | Condition::Reaches { .. }
                | Condition::Channel { .. }
                | Condition::Moves { .. },
                ..,
            ) => {
                let prices: Vec<_> =
                    self.minutes.iter().flat_map(|(open, prices, _)| likely_prices(*open, *prices)).collect();
                (replay(rule, None, &prices, &self.gaps), self.minutes.len(), "minute")
            }
            _ => return Err(not_kept()),
        };
        let told = |firing: &Firing| PreviewedFiring {
            happened_at: firing.at.time,
            said: said(subject, &definition.condition, firing.at.price, firing.reference),
            price: firing.at.price.normalize(),
        };
        Ok(AlertPreview {
            from,
            to,
            resolution: resolution.to_owned(),
            prices: i64::try_from(prices).unwrap_or(i64::MAX),
            count: i64::try_from(firings.len()).unwrap_or(i64::MAX),
            firings: firings.iter().take(MOST_TOLD).map(told).collect(),
        })
    }
}

fn on_closes(rule: &Rule, bars: &[Bar]) -> Vec<Firing> {
    let (mut state, mut before, mut firings) = (rule.state, None, Vec::new());
    for bar in bars {
        let (after, firing) = on_close(rule, state, before, bar);
        firings.extend(firing);
        (state, before) = (after, Some(bar.close));
    }
    firings
}

/// What was traded in the minutes before each minute's end.
fn volumes(rule: &Rule, threshold: Decimal, length: u16, minutes: &[Minute], from: DateTime<Utc>) -> Vec<Firing> {
    let (mut state, mut firings, mut begin, mut sum) = (rule.state, Vec::new(), 0, Decimal::ZERO);
    for (open_time, _, volume) in minutes {
        sum += volume;
        let end = *open_time + TimeDelta::minutes(1);
        while minutes[begin].0 < end - TimeDelta::minutes(length.into()) {
            sum -= minutes[begin].2;
            begin += 1;
        }
        if *open_time >= from {
            let (after, firing) = on_value(rule, state, threshold, sum, end);
            firings.extend(firing);
            state = after;
        }
    }
    firings
}
