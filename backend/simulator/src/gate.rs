//! The gate before the REST routes of the protocols that do not count what a request weighs: it slows and refuses as the
//! faults say.

use actix_web::{
    Error, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use crate::{faults::Refusal, venue::Venue};

/// A protocol's way to refuse a request for asking too much.
pub(crate) trait Refuses {
    fn refuse(refusal: Refusal) -> HttpResponse;
}

/// Lets a request through, late where answers are slow.
pub(crate) async fn gate<P: Refuses>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let refusal = match request.app_data::<Data<Venue>>().cloned() {
        Some(venue) => {
            venue.slow_down().await;
            venue.faults.refusal()
        }
        None => None,
    };
    Ok(match refusal {
        None => next.call(request).await?.map_into_left_body(),
        Some((refusal, _)) => request.into_response(P::refuse(refusal)).map_into_right_body(),
    })
}
