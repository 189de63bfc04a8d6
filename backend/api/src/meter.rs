//! Requests in the metrics: how many, and how long they took.
//!
//! Handles of what is counted are looked up once in each thread, not for each request.

use std::{cell::RefCell, collections::HashMap, time::Instant};

use actix_web::{HttpMessage as _, body::BoxBody, dev::ServiceResponse, http::Method};
use metrics::{Counter, Histogram};

use crate::middleware::Label;

struct Meter {
    requests: Counter,
    seconds: Histogram,
}

thread_local! {
    /// As many as there are routes of data, times methods and statuses.
    static METERS: RefCell<HashMap<(&'static str, &'static str, u16), Meter>> = RefCell::default();
}

/// Counts an answer.
pub(crate) fn count(response: &ServiceResponse<BoxBody>, started: Instant) {
    let request = response.request();
    let (method, status) = (known(request.method()), response.status().as_u16());
    let label = request.extensions().get::<Label>().copied();
    match label {
        Some(Label(route)) => METERS.with_borrow_mut(|meters| {
            let meter =
                meters.entry((route, method, status)).or_insert_with(|| Meter::new(route.to_owned(), method, status));
            meter.count(started);
        }),
        None => {
            let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
            Meter::new(route, method, status).count(started);
        }
    }
}

/// Anyone can invent methods; each label costs memory.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

impl Meter {
    fn new(route: String, method: &'static str, status: u16) -> Self {
        let status = status.to_string();
        Self {
            seconds: metrics::histogram!("api_request_seconds", "route" => route.clone()),
            requests: metrics::counter!("api_requests_total", "method" => method, "route" => route, "status" => status),
        }
    }

    fn count(&self, started: Instant) {
        self.seconds.record(started.elapsed().as_secs_f64());
        self.requests.increment(1);
    }
}
