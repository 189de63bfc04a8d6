//! What Kraken exports: trades, which are complete; and ledgers, which tell of a trade in several lines, and of which what is no trade is
//! read.

use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::cells::{Cells, Column, Told, Writing, arrived, draft};
use super::money::traded;
use super::{Entry, Found, Layout};
use crate::portfolio::{Kind, Order};

const SOURCE: &str = "kraken";

const ID: Column = &["txid"];
const TIME: Column = &["time"];
const TYPE: Column = &["type"];
const FEE: Column = &["fee"];

const ORDER: Column = &["ordertxid"];
const PAIR: Column = &["pair"];
const PRICE: Column = &["price"];
const COST: Column = &["cost"];
const VOLUME: Column = &["vol"];
const MARGIN: Column = &["margin"];
const MISC: Column = &["misc"];

const REFERENCE: Column = &["refid"];
const SUBTYPE: Column = &["subtype"];
const ASSET: Column = &["asset"];
const AMOUNT: Column = &["amount"];

pub(super) const LAYOUTS: &[Layout] = &[
    Layout {
        needed: &[ID, PAIR, TIME, TYPE, PRICE, COST, FEE, VOLUME],
        optional: &[ORDER, MARGIN, MISC],
        fields: &[
            ("date", TIME),
            ("symbol", PAIR),
            ("currency", PAIR),
            ("volume", VOLUME),
            ("price", PRICE),
            ("value", COST),
            ("fee", FEE),
            ("fee_currency", PAIR),
            ("source_id", ID),
        ],
        read: trade,
    },
    Layout {
        needed: &[ID, REFERENCE, TIME, TYPE, SUBTYPE, ASSET, AMOUNT, FEE],
        optional: &[],
        fields: &[
            ("date", TIME),
            ("symbol", ASSET),
            ("volume", AMOUNT),
            ("fee", FEE),
            ("fee_currency", ASSET),
            ("source_id", ID),
        ],
        read: movement,
    },
];

/// Codes with an X for coins or a Z for currencies before them, which newer ones do not have.
const OLD_CODES: [&str; 20] = [
    "XETC", "XETH", "XICN", "XLTC", "XMLN", "XNMC", "XREP", "XXBT", "XXDG", "XXLM", "XXMR", "XXRP", "XZEC", "ZAUD",
    "ZCAD", "ZEUR", "ZGBP", "ZJPY", "ZKRW", "ZUSD",
];

/// In what pairs without a stroke are priced, the longest first.
const QUOTES: [&str; 23] = [
    "ZAUD", "ZCAD", "ZEUR", "ZGBP", "ZJPY", "ZKRW", "ZUSD", "XXBT", "XETH", "USDT", "USDC", "USDG", "DAI", "XBT",
    "BTC", "ETH", "USD", "EUR", "GBP", "CAD", "JPY", "AUD", "CHF",
];

/// Behind the code of a coin: in which of Kraken's programmes it is.
const PROGRAMMES: [&str; 7] = [".S", ".F", ".M", ".B", ".P", ".T", ".HOLD"];

fn trade(cells: &mut Cells<'_>, _: &str) -> Result<Found, Told> {
    let margin = cells.number(MARGIN, Writing::Plain);
    if margin.as_ref().is_ok_and(|margin| margin.is_some_and(|margin| !margin.is_zero()))
        || cells.text(MISC).contains("closing")
    {
        return Ok(Found::Skipped(
            "a trade on margin: no coins changed hands; what it earned or lost is to be written down by hand",
        ));
    }
    let (at, order) = (cells.moment(TIME), cells.side(TYPE));
    let coins = coins(cells.text(PAIR)).ok_or_else(|| {
        let allowed = "a pair such as XXBTZUSD or BTC/USD; without a stroke it ends with a currency, or with BTC, ETH or a stable coin";
        cells.wrong(PAIR, "where the first coin of this pair ends is not known", allowed)
    });
    let volume = cells.amount(VOLUME, Writing::Plain);
    let price = cells.number(PRICE, Writing::Plain);
    let value = cells.amount(COST, Writing::Plain);
    let fee = cells.number(FEE, Writing::Plain);
    let (base, quote) = coins?;
    margin?;
    let entry = Entry {
        order: order?,
        volume: volume?,
        price: price?,
        value: Some(value?),
        fee: fee?.unwrap_or_default(),
        fee_currency: Some(quote.clone()),
        ..draft(at?, &base, &quote, SOURCE, cells.name(ID))
    };
    Ok(traded(entry))
}

fn movement(cells: &mut Cells<'_>, default_currency: &str) -> Result<Found, Told> {
    let is = |column: Column, word: &str| cells.text(column).eq_ignore_ascii_case(word);
    let is_reward = is(TYPE, "staking") || (is(TYPE, "earn") && is(SUBTYPE, "reward"));
    let kind = if is(TYPE, "deposit") {
        Kind::Deposit
    } else if is(TYPE, "withdrawal") {
        Kind::Withdrawal
    } else if is_reward {
        Kind::Trade
    } else if is(TYPE, "trade") {
        return Ok(Found::Skipped("trades come from the export of trades"));
    } else if is(TYPE, "spend") || is(TYPE, "receive") {
        return Ok(Found::Skipped(
            "what was bought or sold without an order is not read: it is to be written down by hand",
        ));
    } else if is(TYPE, "earn") || is(TYPE, "transfer") {
        return Ok(Found::Skipped("coins that only changed their place within Kraken, or were given, are not read"));
    } else {
        return Ok(Found::Skipped("only deposits, withdrawals and rewards are read from this file"));
    };
    if cells.text(ID).is_empty() {
        return Ok(Found::Skipped("it has no id: it was pending, and comes again with one"));
    }
    let at = cells.moment(TIME);
    let asset = cells.word(ASSET, "the code of a coin, such as XXBT").map(coin);
    let amount = cells.amount(AMOUNT, Writing::Plain).and_then(|amount| {
        let is_right = if kind == Kind::Withdrawal { amount < Decimal::ZERO } else { amount > Decimal::ZERO };
        let detail = "it changes what is there in the wrong direction";
        let allowed = "above 0 for what came in, below 0 for a withdrawal";
        if is_right { Ok(amount.abs()) } else { Err(cells.wrong(AMOUNT, detail, allowed)) }
    });
    let fee = cells.number(FEE, Writing::Plain);
    let (asset, note) =
        (asset?, if cells.text(TYPE).eq_ignore_ascii_case("earn") { "earn reward" } else { "staking reward" });
    let entry = Entry {
        kind,
        order: if is_reward { Order::Buy } else { Order::None },
        volume: amount?,
        value: is_reward.then_some(Decimal::ZERO),
        fee: fee?.unwrap_or_default(),
        fee_currency: Some(asset.clone()),
        note: is_reward.then(|| note.to_owned()),
        ..draft(at?, &asset, default_currency, SOURCE, cells.name(ID))
    };
    Ok(Found::Entries(vec![arrived(entry)]))
}

/// The two coins of a pair, by their usual codes.
fn coins(pair: &str) -> Option<(SmolStr, SmolStr)> {
    let pair = pair.to_ascii_uppercase();
    let split = |quote: &&'static str| Some((pair.strip_suffix(quote)?, *quote));
    // XTZEUR is XTZ in EUR, not XT in ZEUR: an old code stands only behind another. One newer coin has a pair with one, too.
    let is_right = |(base, quote): &(&str, &str)| {
        !base.is_empty() && (!OLD_CODES.contains(quote) || OLD_CODES.contains(base) || *base == "USDT")
    };
    let (base, quote) = pair.split_once('/').or_else(|| QUOTES.iter().filter_map(split).find(is_right))?;
    (!base.is_empty() && !quote.is_empty()).then(|| (coin(base), coin(quote)))
}

/// The usual code of a coin or currency.
fn coin(code: &str) -> SmolStr {
    let code = code.to_ascii_uppercase();
    let bare = PROGRAMMES.iter().find_map(|programme| code.strip_suffix(programme)).unwrap_or(&code);
    // DOT28.S is bonded for 28 days.
    let bare = if code.ends_with(".S") { bare.trim_end_matches(|letter: char| letter.is_ascii_digit()) } else { bare };
    match if bare.is_empty() { &code } else { bare } {
        "XXBT" | "XBT" => "BTC".into(),
        "XXDG" | "XDG" => "DOGE".into(),
        "ETH2" => "ETH".into(),
        bare if OLD_CODES.contains(&bare) => bare.chars().skip(1).collect(),
        bare => bare.into(),
    }
}
