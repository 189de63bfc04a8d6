//! docs/QUERIES.md, held to its word: every query in it is run by psql on the sample data, and answers what the document says.

use crate::{documents, sample};

/// The document with the answers that `ask` gives to its queries: a fenced block `text` behind each one `sql`.
fn answered(document: &str, ask: impl Fn(&str) -> String) -> (String, usize) {
    let (mut text, mut queries) = (String::new(), 0);
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        if line != "```sql" {
            continue;
        }
        let query: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        assert_eq!(lines.next_if_eq(&""), Some(""), "an empty line stands behind the query: {query:?}");
        assert_eq!(lines.next(), Some("```text"), "an answer stands behind the query: {query:?}");
        assert!(lines.by_ref().any(|line| line == "```"), "the answer ends: {query:?}");
        let query = query.join("\n");
        text.push_str(&format!("{query}\n```\n\n```text\n{}\n```\n", ask(&query)));
        queries += 1;
    }
    (text, queries)
}

#[tokio::test]
async fn every_query_answers_what_the_document_says() {
    let (database, _pool) = sample::at_noon().await;
    let ask = |query: &str| {
        let mut psql = documents::program("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--pset=pager=off", "--command", query]);
        let answer = documents::run(psql.arg(database.url()));
        answer.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    let (text, queries) = answered(&documents::read("docs/QUERIES.md"), ask);
    assert!(queries >= 24, "the document has {queries} queries");
    documents::expect("docs/QUERIES.md", &text);
}
