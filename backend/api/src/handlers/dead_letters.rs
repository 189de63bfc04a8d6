//! `/dead-letters` and `/dead-letters/{id}`

use actix_web::web;
use api_types::{DeadLetter, DeadLetterBody};
use database::dead_letters::{StoredDeadLetter, find_dead_letter, list_dead_letters};
use utoipa::IntoParams;

use crate::{
    error::{Code, Failure},
    handlers::{Answer, answer},
    openapi::Failures,
    parameters::{Asked, FromQuery, Nothing, Query},
    server::State,
};

/// How much of a message is shown, in bytes.
const LONGEST_BODY: i32 = 1 << 20;

/// How many are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// How many. 100 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, example = 100)]
    limit: i64,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["limit"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self { limit: query.number("limit", 1..=1000)?.unwrap_or(100) })
    }
}

/// Messages that could not be stored, and why, newest first; to replay or drop one: `crypto-tracker dead-letters`
#[utoipa::path(
    get,
    path = "/dead-letters",
    tag = "operation",
    params(Wanted),
    responses((status = 200, description = "The messages set aside", body = api_types::Data<Vec<DeadLetter>>), Failures)
)]
pub(crate) async fn list(Asked(wanted): Asked<Wanted>, state: web::Data<State>) -> Answer<Vec<DeadLetter>> {
    let found = state.reader.read(async |client| Ok(list_dead_letters(client, wanted.limit).await?));
    answer(found.await?.into_iter().map(row).collect())
}

/// A message that could not be stored, with the first megabyte of its body
#[utoipa::path(
    get,
    path = "/dead-letters/{id}",
    tag = "operation",
    params(("id" = String, Path, description = "Its id, as `/dead-letters` lists it", example = "7")),
    responses((status = 200, description = "The message", body = api_types::Data<DeadLetterBody>), Failures)
)]
pub(crate) async fn find(id: web::Path<String>, _: Asked<Nothing>, state: web::Data<State>) -> Answer<DeadLetterBody> {
    let number = id.parse().map_err(|_| {
        Failure::parameter("id", &id, "this is no id of a dead letter", "a whole number, as /dead-letters lists it")
    })?;
    let found = state.reader.read(async |client| Ok(find_dead_letter(client, number, LONGEST_BODY).await?));
    let Some((letter, body)) = found.await? else {
        return Err(Failure::new(Code::UnknownDeadLetter, "there is no such dead letter").at("id", &id));
    };
    answer(DeadLetterBody { letter: row(letter), body: String::from_utf8_lossy(&body).into_owned() })
}

fn row(letter: StoredDeadLetter) -> DeadLetter {
    DeadLetter {
        id: letter.id,
        set_aside_at: letter.set_aside_at,
        topic: letter.topic,
        bytes: letter.bytes,
        reason: letter.reason,
        message_id: letter.message_id,
        replay_asked_at: letter.replay_asked_at,
    }
}
