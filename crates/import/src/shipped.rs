//! The maps that come with the program.

/// A map that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippedMap {
    /// Its name, also its file name without `.toml`.
    pub name: &'static str,
    /// Its text.
    pub toml: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(ShippedMap {
            name: $name,
            toml: include_str!(concat!("../../../maps/", $name, ".toml")),
        }),*]
    };
}

/// All maps that come with the program, by name.
pub fn shipped_maps() -> &'static [ShippedMap] {
    shipped![
        "bpic2012-loan",
        "bpic2020-declarations",
        "bpic2020-payments",
        "cloudtrail",
        "cloudtrail-invictus",
        "cloudtrail-otrf-bank-breach",
        "cloudtrail-stratus-labelled",
        "json-log-chained",
        "structlog",
    ]
}

/// The shipped map called `name`, with or without `.toml`.
pub(crate) fn find(name: &str) -> Option<&'static ShippedMap> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    shipped_maps().iter().find(|map| map.name == name)
}
