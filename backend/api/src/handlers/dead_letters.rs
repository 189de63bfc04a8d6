//! `/dead-letters` and `/dead-letters/{id}`

use actix_web::web;
use api_types::{DeadLetter, DeadLetterBody, Page};
use database::dead_letters::{StoredDeadLetter, find_dead_letter, list_dead_letters};
use utoipa::IntoParams;

use crate::{
    error::{Code, Failure},
    openapi::Failures,
    paging::Paging,
    parameters::{Asked, FromQuery, Nothing, Query},
    reply::{Answer, One, Reply, answer},
    server::State,
};

/// How much of a message is shown, in bytes.
const LONGEST_BODY: i32 = 1 << 20;

/// More are not kept; a few may come while the db-handler notices that it is enough.
const MOST_KEPT: i64 = 11_000;

/// How many are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// How many. 100 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, example = 100)]
    limit: usize,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = Paging::NAMES;

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let Paging { limit, cursor } = Paging::from_query(query)?;
        Ok(Self { limit: limit.unwrap_or(100), cursor })
    }
}

/// Messages that could not be stored, and why, newest first; to replay or drop one: `crypto-tracker dead-letters`
#[utoipa::path(
    get,
    path = "/dead-letters",
    tag = "operation",
    params(Wanted),
    responses((status = 200, description = "The messages set aside", body = Page<DeadLetter>), Failures)
)]
pub(crate) async fn list(Asked(wanted): Asked<Wanted>, state: web::Data<State>) -> Answer<Vec<DeadLetter>> {
    let paging = Paging { limit: Some(wanted.limit), cursor: wanted.cursor };
    let found = state.reader.read(async |client| Ok(list_dead_letters(client, paging.rows_to_read(MOST_KEPT)).await?));
    let (letters, next) = paging.cut(found.await?, |letter| letter.id.to_string())?;
    Ok(Reply::of(letters.into_iter().map(row).collect::<Vec<_>>()).page(next))
}

/// A message that could not be stored, with the first megabyte of its body
#[utoipa::path(
    get,
    path = "/dead-letters/{id}",
    tag = "operation",
    params(("id" = String, Path, description = "Its id, as `/dead-letters` lists it", example = "7")),
    responses((status = 200, description = "The message", body = api_types::Data<DeadLetterBody>), Failures)
)]
pub(crate) async fn find(
    id: web::Path<String>,
    _: Asked<Nothing>,
    state: web::Data<State>,
) -> Answer<One<DeadLetterBody>> {
    let number = id.parse().map_err(|_| {
        Failure::parameter("id", &id, "this is no id of a dead letter", "a whole number, as /dead-letters lists it")
    })?;
    let found = state.reader.read(async |client| Ok(find_dead_letter(client, number, LONGEST_BODY).await?));
    let Some((letter, body)) = found.await? else {
        return Err(Failure::new(Code::UnknownDeadLetter, "there is no such dead letter").at("id", &id));
    };
    answer(One(DeadLetterBody { letter: row(letter), body: String::from_utf8_lossy(&body).into_owned() }))
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
