//! What PostgreSQL takes at most: rows made beforehand, into a plain table with the columns and the unique key of
//! `price`, and nothing else: no candles, no partitions, no check of the ticker.

use std::time::Instant;

use bytes::{BufMut as _, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use domain::Tick;
use futures_util::SinkExt as _;
use rust_decimal::Decimal;
use testbed::database::TestDatabase;
use tokio_postgres::{
    Client, NoTls,
    types::{ToSql, Type},
};

use crate::{Rate, market};

const TABLE: &str = "
    CREATE TYPE tick_source AS ENUM ('stream', 'poll');
    CREATE TYPE side AS ENUM ('buy', 'sell');
    CREATE TABLE raw (
        time timestamptz NOT NULL, received_at timestamptz NOT NULL, stored_at timestamptz NOT NULL DEFAULT now(),
        trade_id bigint, ticker_id integer NOT NULL, source tick_source NOT NULL, taker_side side,
        price numeric NOT NULL, quantity numeric, UNIQUE NULLS NOT DISTINCT (ticker_id, time, trade_id))";

const COLUMNS: &str = "time, received_at, trade_id, ticker_id, source, taker_side, price, quantity";

const CONNECTIONS: usize = 2;

/// Ready-made COPY streams of 5,000 rows each.
pub(crate) async fn copying(frames: &[String]) -> anyhow::Result<Rate> {
    let ticks = market::ticks(frames)?;
    let streams = ticks.chunks(5_000).map(binary_copy).collect::<anyhow::Result<Vec<_>>>()?;
    measure(frames.len(), streams, async |client, stream: &Bytes| {
        let sink = client.copy_in(&format!("COPY raw ({COLUMNS}) FROM STDIN (FORMAT binary)")).await?;
        let mut sink = std::pin::pin!(sink);
        sink.send(stream.clone()).await?;
        sink.finish().await?;
        Ok(())
    })
    .await
}

/// Rows that may be there already, 1,000 at a time.
pub(crate) async fn inserting(frames: &[String]) -> anyhow::Result<Rate> {
    let ticks = market::ticks(frames)?;
    let batches: Vec<Vec<Tick>> = ticks.chunks(1_000).map(<[Tick]>::to_vec).collect();
    let insert = format!(
        "INSERT INTO raw ({COLUMNS})
         SELECT time, received_at, trade_id, ticker_id, 'stream', side::side, price, quantity
         FROM unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::int[], $5::text[], $6::numeric[], $7::numeric[])
             AS new (time, received_at, trade_id, ticker_id, side, price, quantity)
         ON CONFLICT DO NOTHING"
    );
    measure(frames.len(), batches, async |client, ticks: &Vec<Tick>| {
        let times: Vec<DateTime<Utc>> = ticks.iter().map(Tick::time).collect();
        let received: Vec<DateTime<Utc>> = ticks.iter().map(|tick| tick.received_at).collect();
        let ids: Vec<Option<i64>> = ticks.iter().map(|tick| tick.trade_id).collect();
        let tickers: Vec<i32> = ticks.iter().map(ticker_id).collect();
        let sides: Vec<Option<&str>> = ticks.iter().map(|tick| tick.taker_side.map(domain::Side::as_str)).collect();
        let prices: Vec<Decimal> = ticks.iter().map(|tick| tick.price).collect();
        let quantities: Vec<Option<Decimal>> = ticks.iter().map(|tick| tick.quantity).collect();
        let statement = client.prepare(&insert).await?;
        client.execute(&statement, &[&times, &received, &ids, &tickers, &sides, &prices, &quantities]).await?;
        Ok(())
    })
    .await
}

/// Shares the batches among the connections.
async fn measure<B>(
    rows: usize,
    batches: Vec<B>,
    store: impl AsyncFn(&Client, &B) -> anyhow::Result<()>,
) -> anyhow::Result<Rate> {
    let database = TestDatabase::empty().await;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await?;
        tokio::spawn(connection);
        clients.push(client);
    }
    clients[0].batch_execute(TABLE).await?;
    let begin = Instant::now();
    let work = clients.iter().enumerate().map(async |(number, client)| {
        for batch in batches.iter().skip(number).step_by(CONNECTIONS) {
            store(client, batch).await?;
        }
        anyhow::Ok(())
    });
    futures_util::future::try_join_all(work).await?;
    let rate = rows as f64 / begin.elapsed().as_secs_f64();
    let stored: i64 = clients[0].query_one("SELECT count(*) FROM raw", &[]).await?.get(0);
    anyhow::ensure!(stored as usize == rows, "{stored} of {rows} rows");
    Ok(rate)
}

fn ticker_id(tick: &Tick) -> i32 {
    tick.ticker[1..3].parse().unwrap_or_default()
}

/// PostgreSQL's binary COPY format.
fn binary_copy(ticks: &[Tick]) -> anyhow::Result<Bytes> {
    let mut stream = BytesMut::with_capacity(ticks.len() * 110);
    stream.put_slice(b"PGCOPY\n\xff\r\n\0");
    stream.put_i32(0);
    stream.put_i32(0);
    for tick in ticks {
        stream.put_i16(8);
        let side = tick.taker_side.map(domain::Side::as_str);
        put(&mut stream, &tick.time(), &Type::TIMESTAMPTZ)?;
        put(&mut stream, &tick.received_at, &Type::TIMESTAMPTZ)?;
        put(&mut stream, &tick.trade_id, &Type::INT8)?;
        put(&mut stream, &ticker_id(tick), &Type::INT4)?;
        put(&mut stream, &"stream", &Type::TEXT)?;
        put(&mut stream, &side, &Type::TEXT)?;
        put(&mut stream, &tick.price, &Type::NUMERIC)?;
        put(&mut stream, &tick.quantity, &Type::NUMERIC)?;
    }
    stream.put_i16(-1);
    Ok(stream.freeze())
}

fn put(stream: &mut BytesMut, value: &(dyn ToSql + Sync), kind: &Type) -> anyhow::Result<()> {
    let mut field = BytesMut::new();
    value.to_sql_checked(kind, &mut field).map_err(|error| anyhow::anyhow!("{error}"))?;
    stream.put_i32(i32::try_from(field.len())?);
    stream.put_slice(&field);
    Ok(())
}
