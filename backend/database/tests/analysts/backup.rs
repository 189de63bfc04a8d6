//! Dumping and restoring, as docs/OPERATIONS.md tells it: nothing is lost, and a db-handler goes on with what was restored.

use std::path::Path;

use database::{Client, DatabaseSettings, migrate};
use testbed::database::TestDatabase;

use crate::{documents, sample};

/// Every table and view with its rows: how many there are, and a digest of all they say.
async fn content(client: &Client) -> Vec<(String, i64, Option<String>)> {
    let relations = "SELECT relname::text FROM pg_class
                     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";
    let mut content = Vec::new();
    for row in client.query(relations, &[]).await.unwrap() {
        let name: String = row.get(0);
        let sums = format!("SELECT count(*), md5(string_agg({name}::text, '/' ORDER BY {name}::text)) FROM {name}");
        let sums = client.query_one(&sums, &[]).await.unwrap();
        content.push((name, sums.get(0), sums.get(1)));
    }
    content
}

/// The definitions of everything, as text.
fn definitions(database: &TestDatabase) -> String {
    let text = documents::run(documents::program("pg_dump").args(["--schema-only", "--dbname", &database.url()]));
    // Newer versions of pg_dump write a random word there.
    text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

fn dump(database: &TestDatabase, file: &Path) {
    let mut pg_dump = documents::program("pg_dump");
    documents::run(pg_dump.args(["--format=custom", "--file"]).arg(file).args(["--dbname", &database.url()]));
}

#[tokio::test]
async fn a_dump_restores_every_row_and_a_db_handler_goes_on_with_it() {
    let (recorded, own_pool) = sample::stored().await;
    // As long as somebody records: what is not folded yet, and half a day of new partitions.
    let client = own_pool.get().await.unwrap();
    client
        .batch_execute("UPDATE candle SET updated_at = now() WHERE width = '1m' AND open_time > '2025-04-02 11:00Z'")
        .await
        .unwrap();
    let before = content(&client).await;
    assert!(before.iter().any(|(name, rows, _)| name == "stale_candle" && *rows > 0), "something is left to be folded");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crypto-tracker.dump");
    dump(&recorded, &file);
    let restored = TestDatabase::empty().await;
    let mut pg_restore = documents::program("pg_restore");
    documents::run(pg_restore.args(["--exit-on-error", "--dbname", &restored.url()]).arg(&file));

    let pool = database::connect(&DatabaseSettings::at(restored.url())).unwrap();
    let client = pool.get().await.unwrap();
    assert_eq!(content(&client).await, before);
    assert_eq!(definitions(&restored), definitions(&recorded));

    drop(client);
    migrate(&pool).await.unwrap();
    assert!(migrate::is_current(&pool).await.unwrap());
    let mut client = pool.get().await.unwrap();
    assert_eq!(content(&client).await, before, "the db-handler has nothing to migrate");
    // A day that has begun meanwhile has its partitions in both.
    migrate(&own_pool).await.unwrap();
    assert_eq!(definitions(&restored), definitions(&recorded));

    // It goes on: keys are given, partitions made, candles folded.
    let inserted =
        client.query_one("INSERT INTO symbol (code, name) VALUES ('NEW', 'new') RETURNING id", &[]).await.unwrap();
    assert!(inserted.get::<_, i32>(0) > 3, "keys go on where they were");
    assert!(database::rollup::round(&mut client, 500).await.unwrap() > 0);
    client.batch_execute("SELECT create_price_partition('2025-05-01')").await.unwrap();
}
