//! What Binance exports.
//!
//! The history of spot trades, in three layouts, has all trades of orders, and no names for them. The statement has what else there was.

mod statement;

use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::cells::{Cells, Column, Told, Writing, draft, number};
use super::money::traded;
use super::{Entry, Found, Layout};

const SOURCE: &str = "binance";

const DATE: Column = &["Date(UTC)"];
const PAIR: Column = &["Pair"];
const SIDE: Column = &["Side"];
const PRICE: Column = &["Price"];
const EXECUTED: Column = &["Executed"];
const AMOUNT: Column = &["Amount"];
const FEE: Column = &["Fee"];

const BASE: Column = &["Base Asset"];
const QUOTE: Column = &["Quote Asset"];

const MARKET: Column = &["Market"];
const TYPE: Column = &["Type"];
const TOTAL: Column = &["Total"];
const FEE_COIN: Column = &["Fee Coin"];

pub(super) const LAYOUTS: &[Layout] = &[
    Layout {
        needed: &[DATE, PAIR, SIDE, PRICE, EXECUTED, AMOUNT, FEE],
        optional: &[],
        fields: &[
            ("date", DATE),
            ("symbol", PAIR),
            ("currency", PAIR),
            ("volume", EXECUTED),
            ("price", PRICE),
            ("value", AMOUNT),
            ("fee", FEE),
            ("fee_currency", FEE),
        ],
        read: trade,
    },
    Layout {
        needed: &[DATE, BASE, QUOTE, TYPE, PRICE, AMOUNT, TOTAL, FEE, FEE_COIN],
        optional: &[PAIR],
        fields: &[
            ("date", DATE),
            ("symbol", BASE),
            ("currency", QUOTE),
            ("volume", AMOUNT),
            ("price", PRICE),
            ("value", TOTAL),
            ("fee", FEE),
            ("fee_currency", FEE_COIN),
        ],
        read: newer_trade,
    },
    Layout {
        needed: &[DATE, MARKET, TYPE, PRICE, AMOUNT, TOTAL, FEE, FEE_COIN],
        optional: &[],
        fields: &[
            ("date", DATE),
            ("symbol", MARKET),
            ("currency", MARKET),
            ("volume", AMOUNT),
            ("price", PRICE),
            ("value", TOTAL),
            ("fee", FEE),
            ("fee_currency", FEE_COIN),
        ],
        read: older_trade,
    },
    statement::LAYOUT,
];

/// Coins and currencies in which others are priced, the longest first.
const QUOTES: [&str; 15] =
    ["FDUSD", "USDT", "USDC", "BUSD", "TUSD", "BTC", "ETH", "BNB", "EUR", "USD", "TRY", "BRL", "GBP", "AUD", "DAI"];

const PAIRS: &str =
    "a pair such as BTCUSDT, of the coin behind the number of Executed and the one behind that of Amount";

fn trade(cells: &mut Cells<'_>, _: &str) -> Result<Found, Told> {
    let (at, order) = (cells.short_moment(DATE), cells.side(SIDE));
    let price = cells.number(PRICE, Writing::Thousands);
    let both = coins(cells);
    let (base, quote) = both.as_ref().map_or(("", ""), |both| (both.base.as_str(), both.quote.as_str()));
    let fee = fee(cells, &[base, quote, "BNB"]);
    let (both, (fee, fee_currency)) = (both?, fee?);
    let entry = Entry {
        order: order?,
        volume: both.volume,
        price: price?,
        value: Some(both.value),
        fee,
        fee_currency,
        ..draft(at?, &both.base, &both.quote, SOURCE, cells.made_up())
    };
    Ok(traded(entry))
}

/// What was traded for what.
struct Both {
    base: SmolStr,
    quote: SmolStr,
    volume: Decimal,
    value: Decimal,
}

/// The coins stand behind the numbers, and both together in the pair. Codes may begin with digits: of `5.001INCH` only the pair says where
/// the number ends.
fn coins(cells: &mut Cells<'_>) -> Result<Both, Told> {
    let (pair, executed, amount) = (cells.text(PAIR), cells.text(EXECUTED), cells.text(AMOUNT));
    let found = pair.char_indices().find_map(|(place, _)| {
        let (base, quote) = pair.split_at_checked(place)?;
        let (base, quote) = (base.trim_end_matches(['/', '-', '_']), quote.trim_start_matches(['/', '-', '_']));
        let (volume, value) = (before(executed, base)?, before(amount, quote)?);
        Some(Both { base: base.into(), quote: quote.into(), volume, value })
    });
    found.ok_or_else(|| {
        let wrong = [(EXECUTED, executed), (AMOUNT, amount)].into_iter().filter(|(_, text)| glued(text).is_none());
        let wrong: Vec<Column> = wrong.map(|(column, _)| column).collect();
        let mut told = None;
        for column in wrong {
            let detail = "this is no number with the code of a coin behind it";
            told = Some(cells.wrong(column, detail, "a number and a code, such as 0.0010000000BTC"));
        }
        told.unwrap_or_else(|| cells.wrong(PAIR, "this pair is not that of the other cells", PAIRS))
    })
}

/// The number before a code.
fn before(text: &str, code: &str) -> Option<Decimal> {
    if code.is_empty() {
        return None;
    }
    number(text.strip_suffix(code)?.trim_end(), Writing::Thousands)
}

/// A number and the code behind it, where that begins with no digit.
fn glued(text: &str) -> Option<(Decimal, &str)> {
    let is_of_number = |letter: char| letter.is_ascii_digit() || ['.', ',', '-', '+'].contains(&letter);
    let (digits, code) = text.split_at_checked(text.find(|letter| !is_of_number(letter))?)?;
    Some((number(digits, Writing::Thousands)?, code.trim_start()))
}

/// A fee with the code of its coin behind it, which is likely one of `codes`.
fn fee(cells: &mut Cells<'_>, codes: &[&str]) -> Result<(Decimal, Option<SmolStr>), Told> {
    let text = cells.text(FEE);
    let likely = codes.iter().find_map(|code| Some((before(text, code)?, *code)));
    if let Some((fee, code)) = likely.or_else(|| glued(text)) {
        return Ok((fee, Some(code.into())));
    }
    match number(text, Writing::Thousands) {
        Some(fee) if fee.is_zero() => Ok((fee, None)),
        _ => {
            let detail = "this is no number with the code of a coin behind it";
            Err(cells.wrong(FEE, detail, "a number and a code, such as 0.00000100BNB; or 0"))
        }
    }
}

/// Which says in columns of their own what was traded for what.
fn newer_trade(cells: &mut Cells<'_>, _: &str) -> Result<Found, Told> {
    let base = cells.word(BASE, "the code of a coin, such as BTC");
    let quote = cells.word(QUOTE, "the code of a coin or currency, such as USDT");
    with_plain_numbers(cells, base.and_then(|base| Ok((base, quote?))))
}

fn older_trade(cells: &mut Cells<'_>, _: &str) -> Result<Found, Told> {
    let market = cells.text(MARKET);
    let coins = QUOTES.iter().find_map(|quote| Some((market.strip_suffix(quote)?, *quote)));
    let coins = coins.filter(|(base, _)| !base.is_empty()).ok_or_else(|| {
        let allowed = format!("a pair such as BTCUSDT that ends with one of {}", QUOTES.join(", "));
        cells.wrong(MARKET, "where the first coin of this pair ends is not known", &allowed)
    });
    with_plain_numbers(cells, coins)
}

/// A trade of which the numbers have no codes behind them.
fn with_plain_numbers(cells: &mut Cells<'_>, coins: Result<(&str, &str), Told>) -> Result<Found, Told> {
    let (at, order) = (cells.short_moment(DATE), cells.side(TYPE));
    let volume = cells.amount(AMOUNT, Writing::Thousands);
    let value = cells.amount(TOTAL, Writing::Thousands);
    let price = cells.number(PRICE, Writing::Thousands);
    let fee = cells.number(FEE, Writing::Thousands);
    let (fee, fee_coin) = (fee?.unwrap_or_default(), cells.text(FEE_COIN));
    if !fee.is_zero() && fee_coin.is_empty() {
        cells.wrong(FEE_COIN, "this cell is empty", "the code of the coin in which the fee was paid, such as BNB");
    }
    let (base, quote) = coins?;
    let entry = Entry {
        order: order?,
        volume: volume?,
        price: price?,
        value: Some(value?),
        fee,
        fee_currency: Some(fee_coin.into()),
        ..draft(at?, base, quote, SOURCE, cells.made_up())
    };
    Ok(traded(entry))
}
