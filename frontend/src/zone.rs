//! The time zone in which moments are told.

use std::{fmt, str::FromStr, sync::OnceLock};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time zone, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// That of the API and of the database.
    #[default]
    Utc,
    /// That of this machine, whatever it is when it is asked.
    Local,
    /// One of the IANA's.
    Named(Tz),
}

/// The text names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time zone; write UTC, local, or one of the IANA's like Europe/Berlin")]
pub struct UnknownZone(String);

impl Zone {
    /// The zone itself; UTC where the machine's own cannot be told.
    pub(crate) fn tz(self) -> Tz {
        static LOCAL: OnceLock<Tz> = OnceLock::new();
        match self {
            Self::Utc => Tz::UTC,
            Self::Local => *LOCAL.get_or_init(|| {
                iana_time_zone::get_timezone().ok().and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
            }),
            Self::Named(tz) => tz,
        }
    }

    /// The moment, on this zone's clocks.
    pub(crate) fn of(self, time: DateTime<Utc>) -> DateTime<Tz> {
        time.with_timezone(&self.tz())
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let name = text.trim();
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Self::Utc);
        }
        if name.eq_ignore_ascii_case("local") {
            return Ok(Self::Local);
        }
        let known = chrono_tz::TZ_VARIANTS.iter().find(|tz| tz.name().eq_ignore_ascii_case(name));
        known.copied().map(Self::Named).ok_or_else(|| UnknownZone(text.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Local => f.write_str("local"),
            Self::Named(tz) => f.write_str(tz.name()),
        }
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Zone {
    /// A zone that this version does not know becomes UTC.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.parse().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_by_name_and_read_back() {
        for (text, name) in [("utc", "UTC"), ("Local", "local"), ("europe/berlin", "Europe/Berlin")] {
            let zone: Zone = text.parse().unwrap();
            assert_eq!(zone.to_string(), name);
            let json = serde_json::to_string(&zone).unwrap();
            assert_eq!(serde_json::from_str::<Zone>(&json).unwrap(), zone);
        }
        let error = "Mars/Olympus".parse::<Zone>().unwrap_err().to_string();
        assert!(error.contains("Mars/Olympus") && error.contains("Europe/Berlin"), "{error}");
        assert_eq!(serde_json::from_str::<Zone>(r#""Gone/Away""#).unwrap(), Zone::Utc);
    }

    #[test]
    fn a_moment_is_told_on_the_zones_clocks() {
        let time: DateTime<Utc> = "2026-07-01T22:30:00Z".parse().unwrap();
        let told = |name: &str| name.parse::<Zone>().unwrap().of(time).format("%d %H:%M").to_string();
        assert_eq!([told("UTC"), told("Asia/Kolkata"), told("Europe/Berlin")], ["01 22:30", "02 04:00", "02 00:30"]);
    }
}
