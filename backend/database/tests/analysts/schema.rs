//! docs/SCHEMA.md, drawn from the catalogs of a freshly migrated database: what a table or column is for stands in its
//! comment, what takes longer to explain in docs/schema/, one file for each table or view that needs it.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use database::Client;

use crate::{documents, sample};

const FILE: &str = "docs/SCHEMA.md";
const PROSE: &str = "docs/schema";
/// Prose that belongs to no table.
const INTRODUCTION: &str = "introduction";

/// Types as they are written for short.
const SHORT: &str = "replace(replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz'), 'double precision', 'float8')";

/// Tables and views that are not parts of others.
const RELATIONS: &str = "
    SELECT pg_class.oid, relname::text, relkind = 'v', obj_description(pg_class.oid, 'pg_class'), pg_get_partkeydef(pg_class.oid)
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
    ORDER BY relkind <> 'v', relname";

/// The columns of one; which of them are the key, and to which table they point: by a declared key or, where triggers keep it,
/// by their name.
const COLUMNS: &str = "
    SELECT attname::text, {short}, attnotnull, pg_get_expr(adbin, adrelid), attidentity <> '',
           col_description(attrelid, attnum),
           EXISTS (SELECT FROM pg_constraint WHERE conrelid = attrelid AND contype = 'p' AND attnum = ANY (conkey)),
           coalesce((SELECT min(confrelid::regclass::text) FROM pg_constraint
                     WHERE conrelid = attrelid AND contype = 'f' AND conkey = ARRAY[attnum]),
                    (SELECT relname::text FROM pg_class WHERE relname || '_id' = attname AND relkind IN ('r', 'p')
                       AND relnamespace = 'public'::regnamespace))
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum";

/// What is said once for a whole table: its keys, its checks, its other indexes, its triggers.
const RULES: &str = "
    SELECT CASE contype WHEN 'p' THEN 1 WHEN 'u' THEN 2 WHEN 'f' THEN 3 ELSE 4 END, conname::text,
           format('`%s`: `%s`', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE conrelid = $1 AND contype IN ('p', 'u', 'f', 'c')
    UNION ALL
    SELECT 5, indexrelid::regclass::text,
           format('Index `%s`: `%s%s`', indexrelid::regclass, CASE WHEN indisunique THEN 'UNIQUE ' ELSE '' END,
                  substring(pg_get_indexdef(indexrelid) FROM 'USING btree (.*)'))
    FROM pg_index
    WHERE indrelid = $1 AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
    UNION ALL
    SELECT 6, tgname::text, format('Trigger `%s`: %s', tgname, obj_description(tgfoid, 'pg_proc'))
    FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal
    ORDER BY 1, 2";

const ROUTINES: &str = "
    SELECT prokind = 'p', proname::text, pg_get_function_identity_arguments(oid), pg_get_function_result(oid),
           obj_description(oid, 'pg_proc'), has_function_privilege('analyst', oid, 'EXECUTE')
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype
    ORDER BY prokind DESC, proname";

const ENUMERATIONS: &str = "
    SELECT typname::text, string_agg(format('`%s`', enumlabel), ', ' ORDER BY enumsortorder)
    FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid
    WHERE typnamespace = 'public'::regnamespace GROUP BY typname ORDER BY typname";

/// A comment, which everything in the database has.
fn told(comment: Option<&str>, of: &str) -> String {
    let comment = comment.unwrap_or_else(|| panic!("{of} has no comment: the migration that makes it says COMMENT ON"));
    comment.replace('|', "\\|")
}

/// What docs/schema/ says of something, if it does.
fn prose(of: &str) -> String {
    let text = fs::read_to_string(documents::path(&format!("{PROSE}/{of}.md"))).unwrap_or_default();
    if text.is_empty() { text } else { format!("{}\n\n", text.trim_end()) }
}

struct Drawing {
    text: String,
    boxes: String,
    arrows: String,
}

impl Drawing {
    async fn relation(&mut self, client: &Client, row: &tokio_postgres::Row) {
        let (oid, name, view, partitioned): (u32, &str, bool, Option<&str>) =
            (row.get(0), row.get(1), row.get(2), row.get(4));
        let text = &mut self.text;
        // Made by the library that applies the migrations; it is described in the introduction.
        if name == "refinery_schema_history" {
            return;
        }
        write!(text, "### `{name}`\n\n{}\n", told(row.get(3), name)).unwrap();
        if let Some(key) = partitioned {
            write!(text, "\nPartitioned by `{key}`.\n").unwrap();
        }
        text.push_str("\n| Column | Type | |\n|---|---|---|\n");
        writeln!(self.boxes, "    {name} {{").unwrap();
        for column in client.query(&COLUMNS.replace("{short}", SHORT), &[&oid]).await.unwrap() {
            let (attribute, kind): (&str, &str) = (column.get(0), column.get(1));
            let comment = told(column.get(5), &format!("{name}.{attribute}"));
            let or_null = if view || column.get(2) { "" } else { " or null" };
            let otherwise = match column.get::<_, Option<&str>>(3) {
                Some(default) => format!(" Default: `{default}`."),
                None if column.get(4) => " Given by the database.".to_owned(),
                None => String::new(),
            };
            writeln!(text, "| `{attribute}` | {kind}{or_null} | {comment}{otherwise} |").unwrap();
            let (key, target): (bool, Option<&str>) = (column.get(6), column.get(7));
            let mark = [(key, "PK"), (target.is_some(), "FK")];
            let mark = mark.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect::<Vec<_>>().join(", ");
            writeln!(self.boxes, "{}", format!("        {} {attribute} {mark}", kind.replace(' ', "_")).trim_end())
                .unwrap();
            if let (false, Some(target)) = (view, target) {
                writeln!(self.arrows, "    {target} ||--o{{ {name} : {attribute}").unwrap();
            }
        }
        self.boxes.push_str("    }\n");
        text.push('\n');
        let rules = client.query(RULES, &[&oid]).await.unwrap();
        for rule in &rules {
            writeln!(text, "- {}", rule.get::<_, &str>(2)).unwrap();
        }
        if !rules.is_empty() {
            text.push('\n');
        }
        text.push_str(&prose(name));
    }
}

async fn drawn(client: &Client) -> String {
    let relations = client.query(RELATIONS, &[]).await.unwrap();
    let known: BTreeSet<&str> = relations.iter().map(|row| row.get(1)).chain([INTRODUCTION]).collect();
    for entry in fs::read_dir(documents::path(PROSE)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(name.trim_end_matches(".md")), "{PROSE}/{name} is about nothing in the database");
    }
    let mut views = Drawing { text: String::new(), boxes: String::new(), arrows: String::new() };
    let mut tables = Drawing { text: String::new(), boxes: String::new(), arrows: String::new() };
    for row in &relations {
        let drawing = if row.get(2) { &mut views } else { &mut tables };
        drawing.relation(client, row).await;
    }
    let names = |wanted: bool| {
        let names = relations.iter().filter(|row| row.get::<_, bool>(2) == wanted).map(|row| row.get::<_, &str>(1));
        let links = names.filter(|name| *name != "refinery_schema_history").map(|name| format!("[`{name}`](#{name})"));
        links.collect::<Vec<_>>().join(" · ")
    };
    let mut routines = String::new();
    for row in client.query(ROUTINES, &[]).await.unwrap() {
        let (procedure, name, arguments): (bool, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let arguments = arguments.split(", ").map(|word| word.trim_start_matches("IN ")).collect::<Vec<_>>().join(", ");
        let call = if procedure { "CALL " } else { "" };
        let result = row.get::<_, Option<&str>>(3).map(|result| format!(" → `{result}`")).unwrap_or_default();
        let whose = if row.get(5) { "" } else { " Not for analysts." };
        let comment = told(row.get(4), name);
        writeln!(routines, "- `{call}{name}({arguments})`{result}: {comment}{whose}").unwrap();
    }
    let mut enumerations = String::new();
    for row in client.query(ENUMERATIONS, &[]).await.unwrap() {
        writeln!(enumerations, "- `{}`: {}", row.get::<_, &str>(0), row.get::<_, &str>(1)).unwrap();
    }
    format!(
        "<!-- Written by `cargo xtask schema` from the database's own comments and from {PROSE}/. Change those. -->\n\n\
         # The database\n\n{}Views: {}\n\nTables: {}\n\n```mermaid\nerDiagram\n{}{}```\n\n\
         ## Views\n\n{}## Tables\n\n{}## Functions and procedures\n\n{routines}\n## Enumerations\n\n{enumerations}",
        prose(INTRODUCTION),
        names(true),
        names(false),
        tables.arrows,
        tables.boxes,
        views.text,
        tables.text,
    )
    .replace("timestamp with time zone", "timestamptz")
}

#[tokio::test]
async fn the_document_says_what_the_database_says() {
    let (_database, pool) = sample::migrated().await;
    documents::expect(FILE, &drawn(&pool.get().await.unwrap()).await);
}
