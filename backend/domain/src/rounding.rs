//! Decimals to so many digits that count.

use rust_decimal::Decimal;

/// Rounded to so many significant digits, half to even. What has fewer stays as it is: `Decimal::round_sf` writes zeros behind it then, beyond the
/// 28 decimals that a `Decimal` may have, and whatever is computed with such a one may panic.
pub fn significant(value: Decimal, digits: u32) -> Decimal {
    let has = value.mantissa().unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
    if has <= digits {
        return value;
    }
    #[expect(clippy::disallowed_methods, reason = "it has more digits")]
    value.round_sf(digits).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_numbers_stay_numbers() {
        let price: Decimal = "0.0000009048034626883279561729".parse().unwrap();
        assert_eq!(significant(price, 24), price);
        assert_eq!(significant(price, 5), "0.00000090480".parse().unwrap());
        assert_eq!(significant(price, 5).checked_div(price).unwrap().round_dp(4), Decimal::ONE);
        assert_eq!(significant("12345.67".parse().unwrap(), 3), Decimal::from(12_300));
        assert_eq!(significant(Decimal::ZERO, 5), Decimal::ZERO);
    }

    proptest! {
        #[test]
        fn it_is_near_and_can_be_computed_with(mantissa in -69_999_999_999_999_999_999_999_999_999i128..70_000_000_000_000_000_000_000_000_000, scale in 0u32..=28, digits in 1u32..28) {
            let value = Decimal::from_i128_with_scale(mantissa, scale);
            let rounded = significant(value, digits);
            prop_assert!(rounded.scale() <= Decimal::MAX_SCALE);
            prop_assert_eq!(significant(rounded, digits), rounded);
            let has = rounded.mantissa().unsigned_abs().to_string().trim_end_matches('0').len();
            prop_assert!(has <= usize::try_from(digits).unwrap(), "{} of {}", rounded, value);
            if let Some(ratio) = rounded.checked_div(value) {
                let most = Decimal::new(6, digits.min(28));
                prop_assert!((ratio - Decimal::ONE).abs() <= most, "{} of {}", rounded, value);
            }
        }
    }
}
