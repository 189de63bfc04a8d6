//! The role `analyst`: reads everything, changes nothing, and is cut off.

use database::{Client, DatabaseSettings, migrate};
use testbed::{
    database::TestDatabase,
    servers::{PostgresServer, Tuning},
};

use crate::sample;

/// The same database for somebody else.
pub(crate) fn url_for(url: &str, user: &str, password: &str) -> String {
    let (_, place) = url.split_once('@').unwrap();
    format!("postgres://{user}:{password}@{place}")
}

async fn connect(url: &str) -> Client {
    database::connect(&DatabaseSettings::at(url)).unwrap().get().await.unwrap()
}

/// SQLSTATE with which a statement is refused.
async fn refusal(client: &Client, statement: &str) -> String {
    match client.batch_execute(statement).await {
        Ok(()) => panic!("{statement} was not refused"),
        Err(error) => error.code().unwrap().code().to_owned(),
    }
}

#[tokio::test]
async fn an_analyst_reads_everything_and_changes_nothing() {
    let (database, pool) = sample::stored().await;
    let owner = pool.get().await.unwrap();
    let name = format!("reads_{}", database.name());
    owner
        .batch_execute(&format!("CALL create_analyst('{name}', 'first'); CALL create_analyst('{name}', 'it''s new')"))
        .await
        .unwrap();
    owner
        .batch_execute("SELECT create_price_partition('2025-05-01'); CREATE TABLE made_later (id integer)")
        .await
        .unwrap();
    let analyst = connect(&url_for(&database.url(), &name, "it%27s%20new")).await;

    let relations = "SELECT relname::text, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
                     AND relkind IN ('r', 'p', 'v') ORDER BY relname";
    let relations = analyst.query(relations, &[]).await.unwrap();
    assert!(relations.iter().any(|row| row.get::<_, &str>(0) == "price_2025_05_01"));
    let count = analyst.query_one("SELECT count(*) FROM prices", &[]).await.unwrap().get::<_, i64>(0);
    assert!(count > 500, "{count} prices");
    let routines =
        "SELECT oid::regprocedure::text, prokind = 'p' OR provolatile = 'v', has_function_privilege(oid, 'EXECUTE')
                    FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    for row in analyst.query(routines, &[]).await.unwrap() {
        let (routine, changes, may): (&str, bool, bool) = (row.get(0), row.get(1), row.get(2));
        assert_ne!(
            changes, may,
            "{routine}: a routine that changes something (a procedure, or VOLATILE) has EXECUTE revoked from PUBLIC in the \
             migration that makes it; one that reads is STABLE and open to everybody"
        );
    }

    assert_eq!(refusal(&analyst, "CREATE TABLE mine (id integer)").await, "25006", "read-only by default");
    analyst.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    let denied = "42501";
    assert_eq!(refusal(&analyst, "CREATE TABLE mine (id integer)").await, denied);
    for row in &relations {
        let relation: &str = row.get(0);
        analyst.batch_execute(&format!("SELECT FROM {relation} LIMIT 1")).await.unwrap();
        if row.get::<_, &str>(1) != "v" {
            assert_eq!(refusal(&analyst, &format!("DELETE FROM {relation}")).await, denied, "{relation}");
            assert_eq!(refusal(&analyst, &format!("TRUNCATE {relation}")).await, denied, "{relation}");
            assert_eq!(
                refusal(&analyst, &format!("INSERT INTO {relation} DEFAULT VALUES")).await,
                denied,
                "{relation}"
            );
        }
    }
    for statement in [
        "UPDATE price SET price = 1",
        "CALL replay_dead_letter(1)",
        "CALL drop_dead_letter(1)",
        "SELECT create_price_partition('2025-05-02')",
        "CALL create_analyst('other', 'x')",
        "CALL grant_analyst()",
    ] {
        assert_eq!(refusal(&analyst, statement).await, denied, "{statement}");
    }
    drop(analyst);
    forget(&owner, &database, &name).await;
}

#[tokio::test]
async fn an_analyst_is_cut_off() {
    let (database, pool) = sample::migrated().await;
    let owner = pool.get().await.unwrap();
    let name = format!("waits_{}", database.name());
    owner.batch_execute(&format!("CALL create_analyst('{name}', 'secret')")).await.unwrap();
    let url = url_for(&database.url(), &name, "secret");
    let analyst = connect(&url).await;
    for (setting, value) in [
        ("statement_timeout", "1min"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("default_transaction_read_only", "on"),
    ] {
        let row = analyst.query_one("SELECT current_setting($1)", &[&setting]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), value, "{setting}");
    }
    // A minute is long for a test: the same, with less.
    owner.batch_execute(&format!("ALTER ROLE {name} SET statement_timeout = '100ms'")).await.unwrap();
    assert_eq!(refusal(&connect(&url).await, "SELECT pg_sleep(60)").await, "57014");
    drop(analyst);
    forget(&owner, &database, &name).await;
}

#[tokio::test]
async fn a_role_that_is_no_analyst_is_left_alone() {
    let (database, pool) = sample::migrated().await;
    let owner = pool.get().await.unwrap();
    let name = format!("other_{}", database.name());
    owner.batch_execute(&format!("CREATE ROLE {name} LOGIN PASSWORD 'kept'")).await.unwrap();
    assert_eq!(refusal(&owner, &format!("CALL create_analyst('{name}', 'taken')")).await, "42710");
    assert_eq!(refusal(&owner, "CALL create_analyst(current_user::text, 'taken')").await, "42710", "nor the superuser");
    drop(connect(&url_for(&database.url(), &name, "kept")).await);
    forget(&owner, &database, &name).await;
}

/// A login goes when its sessions have gone.
async fn forget(owner: &Client, database: &TestDatabase, name: &str) {
    let sessions = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{}' AND usename = '{name}'",
        database.name()
    );
    owner.batch_execute(&format!("{sessions}; DROP ROLE {name}")).await.unwrap();
}

/// On a server of its own: another test's database would have the role already.
#[tokio::test]
async fn without_the_right_to_make_roles_an_administrator_makes_the_role_later() {
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(Tuning::Tests).unwrap()).await.unwrap();
    let administrator = connect(&server.url()).await;
    administrator.batch_execute("CREATE ROLE recorder LOGIN PASSWORD 'secret'").await.unwrap();
    administrator.batch_execute("CREATE DATABASE recorded OWNER recorder").await.unwrap();
    let recorded = server.address().url("recorded");
    let pool = database::connect(&DatabaseSettings::at(url_for(&recorded, "recorder", "secret"))).unwrap();
    migrate(&pool).await.unwrap();

    let administrator = connect(&recorded).await;
    assert_eq!(
        refusal(&administrator, "CALL create_analyst('anna', 'secret')").await,
        "42704",
        "there is no such role yet"
    );
    administrator
        .batch_execute("CREATE ROLE analyst; CALL grant_analyst(); CALL create_analyst('anna', 'secret')")
        .await
        .unwrap();
    pool.get().await.unwrap().batch_execute("SELECT create_price_partition('2025-05-01')").await.unwrap();
    let analyst = connect(&url_for(&recorded, "anna", "secret")).await;
    analyst.batch_execute("SELECT FROM prices; SELECT FROM price_2025_05_01").await.unwrap();
    analyst.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    assert_eq!(refusal(&analyst, "DELETE FROM price").await, "42501");
}

/// On a server of its own, on which nobody has made the role yet.
#[tokio::test]
async fn databases_of_one_server_may_be_migrated_at_the_same_time() {
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(Tuning::Tests).unwrap()).await.unwrap();
    let administrator = connect(&server.url()).await;
    let mut migrating = tokio::task::JoinSet::new();
    for number in 0..4 {
        administrator.batch_execute(&format!("CREATE DATABASE recorded_{number}")).await.unwrap();
        let url = server.address().url(&format!("recorded_{number}"));
        migrating.spawn(async move {
            let pool = database::connect(&DatabaseSettings::at(url)).unwrap();
            migrate(&pool).await.unwrap();
            let may = "SELECT has_table_privilege('analyst', 'prices', 'SELECT')";
            pool.get().await.unwrap().query_one(may, &[]).await.unwrap().get::<_, bool>(0)
        });
    }
    assert_eq!(migrating.join_all().await, [true; 4]);
}
