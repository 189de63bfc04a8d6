//! The short form of `cargo xtask chaos`: a kill of each part, and what exchanges do most.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use chaos::{Fault, Protocol, Stage, Verdict, verdict::try_fault};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_any_of_these_faults_nothing_is_lost_doubled_or_falsified() {
    process::tls::install();
    // Each trade comes three times: by every protocol. Of few pairs, since Kraken may be asked about one every other second.
    let mut stage = Stage::build(2, 200.0, 7, 20, None).await.unwrap();
    let mut verdicts = Vec::new();
    for fault in Fault::SHORT {
        let (of_fault, told) = try_fault(&mut stage, fault).await.unwrap();
        verdicts.extend(of_fault);
        let told = told.expect("rules watch");
        assert!(told.is_good(), "{}\n{told}", fault.name());
    }
    let table: Vec<String> = verdicts.iter().map(Verdict::to_string).collect();
    assert!(verdicts.iter().all(Verdict::is_good), "{}\n{}", Verdict::HEAD, table.join("\n"));
    let fetched = |protocol| verdicts.iter().any(|verdict| verdict.protocol == protocol && verdict.in_ledger > 0);
    assert!(Protocol::ALL.into_iter().all(fetched), "something had to be fetched by each protocol");
}
