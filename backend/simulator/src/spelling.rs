//! How the two coins of a pair are told apart by the protocols that write a mark between them.

/// The two halves of the ticker where it ends with the quote, so that a pair that goes on under another name does so in
/// every protocol; otherwise the coins. Letters and digits alone, for a name becomes part of frames as it is.
pub(crate) fn coins(ticker: &str, base: &str, quote: &str) -> (String, String) {
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    match ticker.strip_suffix(quote) {
        Some(first) if !first.is_empty() && !quote.is_empty() => (plain(first), plain(quote)),
        _ => (plain(base), plain(quote)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_split_by_its_ticker_or_else_named_by_its_coins() {
        for (ticker, base, quote, first) in [
            ("BTCUSDT", "BTC", "USDT", "BTC"),
            ("ETH2USDT", "ETH", "USDT", "ETH2"),
            ("WEIRD", "A\"B", "USDT", "AB"),
            ("USDT", "X", "USDT", "X"),
        ] {
            assert_eq!(coins(ticker, base, quote), (first.to_owned(), "USDT".to_owned()), "{ticker}");
        }
    }
}
