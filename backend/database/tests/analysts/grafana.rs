//! What Grafana is given: every question of the dashboard is asked, by the login that Grafana uses, on the sample data.

use std::fs;

use database::DatabaseSettings;
use serde_json::Value;
use tokio_postgres::types::Type;

use crate::{documents, role, sample};

const FROM: &str = "'2025-03-24T00:00:00Z'";
const TO: &str = "'2025-04-02T12:00:00Z'";

/// A question as Grafana asks it: with what was chosen, and the span that is shown.
fn asked(question: &str) -> String {
    let chosen = [("exchange", "binance"), ("ticker", "BTCUSDT"), ("width", "1h")];
    let mut sql = question.replace("$__timeFrom()", FROM).replace("$__timeTo()", TO);
    for (name, value) in chosen {
        sql = sql.replace(&format!("${{{name}:sqlstring}}"), &format!("'{value}'"));
    }
    while let Some((before, rest)) = sql.split_once("$__timeFilter(") {
        let (column, after) = rest.split_once(')').unwrap();
        sql = format!("{before}{column} BETWEEN {FROM} AND {TO}{after}");
    }
    assert!(!sql.contains('$'), "a macro or variable that this test does not know: {sql}");
    sql
}

#[tokio::test]
async fn every_panel_of_grafana_has_its_answer() {
    let (database, _pool) = sample::at_noon().await;
    let mut psql = documents::program("psql");
    psql.args(["--no-psqlrc", "--quiet", "--file"]).arg(documents::path("grafana/login.sql"));
    documents::run(psql.arg(database.url()).env("GRAFANA_DATABASE_PASSWORD", "secret"));
    let url = role::url_for(&database.url(), "grafana", "secret");
    let client = database::connect(&DatabaseSettings::at(url)).unwrap().get().await.unwrap();

    let source = documents::read("grafana/provisioning/datasources/crypto-tracker.yaml");
    let mut panels = 0;
    for file in fs::read_dir(documents::path("grafana/dashboards")).unwrap() {
        let board: Value = serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        for variable in board["templating"]["list"].as_array().unwrap() {
            if variable["type"] == "query" {
                let rows = client.query(&asked(variable["query"].as_str().unwrap()), &[]).await.unwrap();
                assert!(!rows.is_empty(), "{} has values", variable["name"]);
            }
        }
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let uid = target["datasource"]["uid"].as_str().unwrap();
                assert!(
                    source.contains(&format!("uid: {uid}\n")),
                    "{}: the data source {uid} is provisioned",
                    panel["title"]
                );
                let rows = client.query(&asked(target["rawSql"].as_str().unwrap()), &[]).await;
                let rows = rows.unwrap_or_else(|error| panic!("{}: {error:?}", panel["title"]));
                assert!(!rows.is_empty(), "{} shows something", panel["title"]);
                if target["format"] == "time_series" || panel["type"] == "candlestick" {
                    let first = &rows[0].columns()[0];
                    assert_eq!((first.name(), first.type_()), ("time", &Type::TIMESTAMPTZ), "{}", panel["title"]);
                }
                panels += 1;
            }
        }
    }
    assert!(panels >= 10, "{panels} panels");
}
