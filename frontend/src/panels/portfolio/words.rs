//! Amounts, shares and ages as the pane tells them.

use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::{format, theme::Palette};

/// Decimals of an amount that is counted in a coin.
const COIN: u32 = 8;
/// Coins that stand for a dollar.
const DOLLARS: [&str; 6] = ["USDT", "USDC", "FDUSD", "DAI", "TUSD", "BUSD"];
/// Currencies of countries that are met most; another one has more decimals than it needs.
const CURRENCIES: [&str; 12] = ["USD", "EUR", "GBP", "CHF", "JPY", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN", "TRY"];
/// From this age on, a price is an old one.
pub(super) const OLD_SECONDS: i64 = 86_400;

/// How many decimals amounts in this currency or coin have.
pub(super) fn decimals(currency: &str) -> u32 {
    if CURRENCIES.contains(&currency) || DOLLARS.contains(&currency) { 2 } else { COIN }
}

/// An amount: `64,000.00`.
pub(super) fn money(value: Decimal, currency: &str) -> String {
    format::price(value, decimals(currency))
}

/// An amount that was won or lost, with its sign.
pub(super) fn gain(value: Decimal, currency: &str) -> String {
    format::signed(value, decimals(currency))
}

/// A price: a small one keeps four digits that are not zero.
pub(super) fn price(value: Decimal, currency: &str) -> String {
    let least = decimals(currency);
    let mut zeros = 0;
    let mut rest = value.abs();
    while rest < Decimal::ONE && !rest.is_zero() && zeros < 20 {
        rest *= Decimal::TEN;
        zeros += 1;
    }
    let needed = if zeros == 0 { least } else { least.max(zeros + 3).min(value.normalize().scale().max(least)) };
    format::price(value, needed)
}

/// Units of a coin, without zeros at their end.
pub(super) fn volume(value: Decimal) -> String {
    let value = value.round_dp(COIN).normalize();
    format::price(value, value.scale())
}

/// A return as a signed percentage.
pub(super) fn percent(part: Option<Decimal>) -> String {
    format::percent(part.and_then(|part| part.checked_mul(Decimal::ONE_HUNDRED)))
}

/// A part of the whole: `12.3%`.
pub(super) fn share(part: Option<Decimal>) -> String {
    let percent = part.and_then(|part| part.checked_mul(Decimal::ONE_HUNDRED));
    percent.map_or_else(|| format::UNKNOWN.to_owned(), |percent| format!("{}%", format::price(percent, 1)))
}

/// The colour of what was won or lost.
pub(super) fn colour(palette: &Palette, value: Option<Decimal>) -> eframe::egui::Color32 {
    palette.of_change(value.and_then(|value| value.to_f64()))
}

/// How old a price is, where it is old.
pub(super) fn old(age_seconds: Option<i64>) -> Option<String> {
    let age = age_seconds.filter(|age| *age > OLD_SECONDS)?;
    Some(format::age(chrono::TimeDelta::seconds(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_have_the_decimals_of_their_currency_and_small_prices_more() {
        assert_eq!(money(decimal("64000.126"), "USD"), "64,000.13");
        assert_eq!(money(decimal("1.5"), "BTC"), "1.50000000");
        assert_eq!(gain(decimal("3990"), "EUR"), "+3,990.00");
        assert_eq!(gain(decimal("-0.5"), "USD"), "−0.50");
        assert_eq!(price(decimal("64250"), "USD"), "64,250.00");
        assert_eq!(price(decimal("0.5"), "USD"), "0.50");
        assert_eq!(price(decimal("0.00001234567"), "USD"), "0.0₄1235");
        assert_eq!(price(Decimal::ZERO, "USD"), "0.00");
        assert_eq!(volume(decimal("0.50000000")), "0.5");
        assert_eq!((percent(Some(decimal("0.0667"))), percent(None)), ("+6.67%".to_owned(), "—".to_owned()));
        assert_eq!(share(Some(decimal("0.12345"))), "12.3%");
    }

    #[test]
    fn a_price_is_old_after_a_day() {
        assert_eq!((old(None), old(Some(86_400))), (None, None));
        assert_eq!(old(Some(200_000)), Some("2d".to_owned()));
    }
}
