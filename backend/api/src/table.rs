//! Rows as CSV: the columns that the JSON has, in its order.
//!
//! Each row is written as JSON first and its members become cells, so that both always say the same. What holds: one
//! line of column names, also where there are no rows; lines end with LF; a cell of text never begins like a formula,
//! because spreadsheets would compute it; numbers are left alone, decimals written as text too.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned, MapAccess, Visitor, value::Error as NoValue},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;

/// What CSV begins a cell with that a spreadsheet would compute; the last four are the full-width forms.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Writes rows.
///
/// # Errors
/// When a row cannot be written as an object.
pub(crate) fn write_csv<R: Serialize + DeserializeOwned>(rows: &[R]) -> Result<Vec<u8>, serde_json::Error> {
    let mut columns: Vec<Cow<'_, str>> = columns::<R>().iter().map(|name| Cow::Borrowed(*name)).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut json = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        json.clear();
        serde_json::to_writer(&mut json, row)?;
        let members: Members<'_> = serde_json::from_slice(&json)?;
        if index == 0 {
            if columns.is_empty() {
                columns = members.0.iter().map(|(name, _)| Cow::Owned(name.to_string())).collect();
            }
            write_line(&mut writer, columns.iter())?;
        }
        let cell = |name: &Cow<'_, str>| members.0.iter().find(|(other, _)| other == name).map_or(Ok("".into()), text);
        write_line(&mut writer, columns.iter().map(cell).collect::<Result<Vec<_>, _>>()?)?;
    }
    if rows.is_empty() {
        write_line(&mut writer, columns.iter())?;
    }
    writer.into_inner().map_err(|error| serde_json::Error::io(error.into_error()))
}

fn write_line<C: AsRef<str>>(
    writer: &mut csv::Writer<Vec<u8>>,
    cells: impl IntoIterator<Item = C>,
) -> Result<(), serde_json::Error> {
    let written = writer.write_record(cells.into_iter().map(|cell| Cell(cell)));
    written.map_err(|error| serde_json::Error::io(error.into()))
}

/// A cell, as the writer takes it.
struct Cell<C>(C);

impl<C: AsRef<str>> AsRef<[u8]> for Cell<C> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref().as_bytes()
    }
}

/// What a member says: text as it is, but harmless; what is missing as nothing; the rest as JSON writes it.
fn text<'a>((_, value): &(Cow<'a, str>, &'a RawValue)) -> Result<Cow<'a, str>, serde_json::Error> {
    match value.get() {
        "null" => Ok("".into()),
        json if json.starts_with('"') => {
            let text: String = serde_json::from_str(json)?;
            Ok(if text.starts_with(FORMULA) && !is_number(&text) { format!("'{text}") } else { text }.into())
        }
        json => Ok(json.into()),
    }
}

fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.strip_prefix('-').unwrap_or(text).split_once('.').unwrap_or((text, "0"));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The members of a JSON object, in its order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The names of a row's columns, as its type tells whoever reads it; none where they are known from its rows only.
fn columns<R: DeserializeOwned>() -> &'static [&'static str] {
    let mut names = &[][..];
    // It asks for the names and gets no values.
    let _ = R::deserialize(Names(&mut names));
    names
}

struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = NoValue;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = fields;
        Err(de::Error::custom("only the names"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(de::Error::custom("no struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Row {
        name: String,
        #[serde(rename = "final")]
        is_final: bool,
        closes: Vec<Option<String>>,
        count: Option<i64>,
    }

    fn row(name: &str) -> Row {
        Row { name: name.to_owned(), is_final: true, closes: vec![Some("1.5".to_owned()), None], count: Some(-3) }
    }

    fn csv<R: Serialize + DeserializeOwned>(rows: &[R]) -> String {
        String::from_utf8(write_csv(rows).unwrap()).unwrap()
    }

    #[test]
    fn the_columns_are_those_of_the_json_also_without_rows() {
        assert_eq!(csv::<Row>(&[]), "name,final,closes,count\n");
        assert_eq!(
            csv(&[row("a,\"b\""), Row { count: None, ..row("c") }]),
            "name,final,closes,count\n\"a,\"\"b\"\"\",true,\"[\"\"1.5\"\",null]\",-3\nc,true,\"[\"\"1.5\"\",null]\",\n"
        );
    }

    #[test]
    fn no_cell_of_text_begins_like_a_formula_and_numbers_stay_as_they_are() {
        let first_cell =
            |name: &str| csv(&[row(name)]).split_once('\n').unwrap().1.split(',').next().unwrap().to_owned();
        for name in ["=1+1", "+1", "-2+3", "@SUM", "＝1", "＋1", "－1", "＠A", "-", "--1", "-1.", "-.5", "-1e5"] {
            assert_eq!(first_cell(name), format!("'{name}"), "{name}");
        }
        assert!(first_cell("\tx").contains("'\tx") && first_cell("\rx").contains("'\rx"));
        for name in ["-1", "-0.27", "1", "a=b", "BTC-USD"] {
            assert_eq!(first_cell(name), name);
        }
    }

    #[test]
    fn a_type_that_flattens_another_tells_its_columns_by_its_rows() {
        #[derive(Serialize, Deserialize)]
        struct Outer {
            #[serde(flatten)]
            row: Row,
            body: String,
        }
        let one = Outer { row: row("a"), body: "b".to_owned() };
        assert!(csv(&[one]).starts_with("name,final,closes,count,body\na,"));
    }
}
