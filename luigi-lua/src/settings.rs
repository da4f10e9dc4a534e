//! Where the policy comes from, as the environment of the process says it (HAProxy's `setenv` and `presetenv`).
//!
//! HAProxy 2.6 passes no arguments to a Lua file, so the environment is the one way that works everywhere. A setting that contradicts
//! another one, or has no effect, is an error: whoever wrote it meant something by it.

use luigi_runtime::facts::FactList;
use luigi_runtime::spool::SpoolConfig;
use luigi_runtime::{Carried, DEFAULT_STALE_AFTER, EngineConfig, FeedConfig, Mode, PolicyFileConfig};
use std::path::PathBuf;
use std::time::Duration;

/// What the environment asks for; an error is one line, ready to print.
pub(crate) fn from_environment() -> Result<EngineConfig, String> {
    from(|name| std::env::var_os(name).map(|value| value.into_string().map_err(|_| not_text(name))).transpose())
}

fn from(lookup: impl Fn(&str) -> Result<Option<String>, String>) -> Result<EngineConfig, String> {
    let setting = |name: &str| match lookup(name)? {
        Some(value) if value.is_empty() => Err(format!("`{name}` is set and empty")),
        value => Ok(value),
    };
    let [feed, public_key] = [setting("LUIGI_FEED")?, setting("LUIGI_PUBLIC_KEY")?];
    // HAProxy cannot set a variable to nothing, and lines that carry nothing further do not set it.
    let carried = Carried::Only(match lookup("LUIGI_FACTS")? {
        Some(facts) => FactList::parse(&facts).map_err(|why| format!("`LUIGI_FACTS`: {why}"))?,
        None => FactList::default(),
    });
    let [policy, jwks, mode] = [setting("LUIGI_POLICY")?, setting("LUIGI_JWKS")?, setting("LUIGI_MODE")?];
    let environment = setting("LUIGI_ENVIRONMENT")?;
    let stale_after = setting("LUIGI_STALE_AFTER")?.map(|text| stale_after(&text)).transpose()?;
    let spool = spool(setting("LUIGI_SPOOL")?, setting("LUIGI_SPOOL_LIMIT")?, setting("LUIGI_NODE")?)?;
    match (feed, policy) {
        (None, None) => Err("neither `LUIGI_FEED` nor `LUIGI_POLICY` is set".to_owned()),
        (Some(_), Some(_)) => Err("both `LUIGI_FEED` and `LUIGI_POLICY` are set".to_owned()),
        (Some(_), None) if jwks.is_some() => {
            Err("`LUIGI_JWKS` is for `LUIGI_POLICY`; a feed brings its keys".to_owned())
        }
        (Some(_), None) if mode.is_some() => {
            Err("`LUIGI_MODE` is for `LUIGI_POLICY`; a feed brings its mode".to_owned())
        }
        (Some(_), None) if environment.is_some() => {
            Err("`LUIGI_ENVIRONMENT` is for `LUIGI_POLICY`; a feed brings its environment".to_owned())
        }
        (Some(feed), None) => {
            let public_key = public_key.ok_or("`LUIGI_FEED` is set without `LUIGI_PUBLIC_KEY`")?;
            let feed = FeedConfig {
                directory: feed.into(),
                public_key: public_key.into(),
                stale_after: stale_after.unwrap_or(DEFAULT_STALE_AFTER),
                carried,
                spool,
            };
            Ok(EngineConfig::Feed(feed))
        }
        (None, Some(_)) if public_key.is_some() => Err("`LUIGI_PUBLIC_KEY` is for `LUIGI_FEED`".to_owned()),
        (None, Some(_)) if stale_after.is_some() => {
            Err("`LUIGI_STALE_AFTER` is for `LUIGI_FEED`; a policy file has no heartbeat".to_owned())
        }
        (None, Some(policy)) => {
            let mut config = PolicyFileConfig {
                path: policy.into(),
                environment,
                jwks: Vec::new(),
                mode: Mode::Observe,
                carried,
                spool,
            };
            if let Some(mode) = mode {
                config.mode = mode_named(&mode)?;
            }
            if let Some(jwks) = jwks {
                config.jwks = jwks.split_whitespace().map(key_set).collect::<Result<_, _>>()?;
            }
            Ok(EngineConfig::PolicyFile(config))
        }
    }
}

/// Where decisions are recorded, if anywhere.
fn spool(
    directory: Option<String>,
    limit: Option<String>,
    node: Option<String>,
) -> Result<Option<SpoolConfig>, String> {
    let Some(directory) = directory else {
        return match (limit, node) {
            (None, None) => Ok(None),
            (Some(_), _) => Err("`LUIGI_SPOOL_LIMIT` is for `LUIGI_SPOOL`".to_owned()),
            (None, Some(_)) => Err("`LUIGI_NODE` is for `LUIGI_SPOOL`".to_owned()),
        };
    };
    let mut config = SpoolConfig { node, ..SpoolConfig::new(directory) };
    if let Some(limit) = limit {
        config.limit_bytes = bytes(&limit).ok_or_else(|| {
            format!("`LUIGI_SPOOL_LIMIT` is `{limit}`, which is no number of bytes such as 268435456 or 256m")
        })?;
    }
    Ok(Some(config))
}

/// A number of bytes, as HAProxy writes them: plain, or with `k`, `m` or `g` for powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1 << 10),
        b'm' => (&text[..text.len() - 1], 1 << 20),
        b'g' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| plain)?.checked_mul(unit)
}

/// The longest that grants may count without a word from whoever could take them back: a day.
const MAX_STALE_AFTER_SECONDS: u64 = 86_400;

/// A time with its unit, as HAProxy writes them. Without one HAProxy means milliseconds and everybody else seconds, so it must have one.
fn stale_after(text: &str) -> Result<Duration, String> {
    let seconds = [("s", 1), ("m", 60), ("h", 3600)].into_iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse::<u64>().ok().filter(|_| plain)?.checked_mul(seconds)
    });
    match seconds {
        Some(seconds @ 1..=MAX_STALE_AFTER_SECONDS) => Ok(Duration::from_secs(seconds)),
        Some(_) | None => {
            Err(format!("`LUIGI_STALE_AFTER` is `{text}`, which is no time from 1s to 24h such as 90s, 5m or 1h"))
        }
    }
}

fn mode_named(name: &str) -> Result<Mode, String> {
    match name {
        "observe" => Ok(Mode::Observe),
        "enforce" => Ok(Mode::Enforce),
        other => Err(format!("`LUIGI_MODE` is neither `observe` nor `enforce` but `{other}`")),
    }
}

fn key_set(word: &str) -> Result<(String, PathBuf), String> {
    match word.split_once('=') {
        Some((issuer, file)) if !issuer.is_empty() && !file.is_empty() => Ok((issuer.to_owned(), file.into())),
        _ => Err(format!("`LUIGI_JWKS` holds `{word}`, which is not ISSUER=FILE")),
    }
}

fn not_text(name: &str) -> String {
    format!("`{name}` is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<EngineConfig, String> {
        from(|name| Ok(settings.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())))
    }

    #[test]
    fn settings_that_contradict_each_other_are_errors() {
        for (settings, expected) in [
            (&[][..], "neither `LUIGI_FEED` nor `LUIGI_POLICY` is set"),
            (&[("LUIGI_FEED", "f"), ("LUIGI_POLICY", "p")], "both `LUIGI_FEED` and `LUIGI_POLICY` are set"),
            (&[("LUIGI_FEED", "f")], "`LUIGI_FEED` is set without `LUIGI_PUBLIC_KEY`"),
            (&[("LUIGI_FEED", "")], "`LUIGI_FEED` is set and empty"),
            (
                &[("LUIGI_FEED", "f"), ("LUIGI_MODE", "enforce")],
                "`LUIGI_MODE` is for `LUIGI_POLICY`; a feed brings its mode",
            ),
            (
                &[("LUIGI_FEED", "f"), ("LUIGI_JWKS", "a=b")],
                "`LUIGI_JWKS` is for `LUIGI_POLICY`; a feed brings its keys",
            ),
            (
                &[("LUIGI_FEED", "f"), ("LUIGI_ENVIRONMENT", "staging")],
                "`LUIGI_ENVIRONMENT` is for `LUIGI_POLICY`; a feed brings its environment",
            ),
            (&[("LUIGI_POLICY", "p"), ("LUIGI_ENVIRONMENT", "")], "`LUIGI_ENVIRONMENT` is set and empty"),
            (&[("LUIGI_POLICY", "p"), ("LUIGI_PUBLIC_KEY", "k")], "`LUIGI_PUBLIC_KEY` is for `LUIGI_FEED`"),
            (
                &[("LUIGI_POLICY", "p"), ("LUIGI_MODE", "Enforce")],
                "`LUIGI_MODE` is neither `observe` nor `enforce` but `Enforce`",
            ),
            (&[("LUIGI_POLICY", "p"), ("LUIGI_SPOOL_LIMIT", "1m")], "`LUIGI_SPOOL_LIMIT` is for `LUIGI_SPOOL`"),
            (&[("LUIGI_POLICY", "p"), ("LUIGI_NODE", "a")], "`LUIGI_NODE` is for `LUIGI_SPOOL`"),
            (
                &[("LUIGI_POLICY", "p"), ("LUIGI_STALE_AFTER", "5m")],
                "`LUIGI_STALE_AFTER` is for `LUIGI_FEED`; a policy file has no heartbeat",
            ),
            (
                &[("LUIGI_FEED", "f"), ("LUIGI_PUBLIC_KEY", "k"), ("LUIGI_STALE_AFTER", "60")],
                "`LUIGI_STALE_AFTER` is `60`, which is no time from 1s to 24h such as 90s, 5m or 1h",
            ),
            (
                &[("LUIGI_POLICY", "p"), ("LUIGI_SPOOL", "s"), ("LUIGI_SPOOL_LIMIT", "1M")],
                "`LUIGI_SPOOL_LIMIT` is `1M`, which is no number of bytes such as 268435456 or 256m",
            ),
            (
                &[("LUIGI_POLICY", "p"), ("LUIGI_JWKS", "okta=k.json entra")],
                "`LUIGI_JWKS` holds `entra`, which is not ISSUER=FILE",
            ),
        ] {
            assert_eq!(with(settings).unwrap_err(), expected, "{settings:?}");
        }
    }

    fn environment_of(config: EngineConfig) -> Option<String> {
        let EngineConfig::PolicyFile(config) = config else { panic!("a policy file") };
        config.environment
    }

    #[test]
    fn a_policy_file_is_observed_unless_it_is_enforced_and_brings_its_key_sets() {
        let EngineConfig::PolicyFile(config) = with(&[("LUIGI_POLICY", "p")]).unwrap() else { panic!("a policy file") };
        assert_eq!((config.path, config.jwks, config.mode), ("p".into(), vec![], Mode::Observe));
        assert_eq!(with(&[("LUIGI_POLICY", "p")]).map(environment_of), Ok(None));
        let settings = [("LUIGI_POLICY", "p"), ("LUIGI_ENVIRONMENT", "staging")];
        assert_eq!(with(&settings).map(environment_of), Ok(Some("staging".to_owned())));
        let settings = [("LUIGI_POLICY", "p"), ("LUIGI_MODE", "enforce"), ("LUIGI_JWKS", "a=x.json  b=y=z.json")];
        let EngineConfig::PolicyFile(config) = with(&settings).unwrap() else { panic!("a policy file") };
        let jwks = [("a".to_owned(), "x.json".into()), ("b".to_owned(), "y=z.json".into())];
        assert_eq!((config.jwks, config.mode), (jwks.to_vec(), Mode::Enforce));
    }

    #[test]
    fn a_feed_needs_a_directory_and_a_key() {
        let EngineConfig::Feed(feed) = with(&[("LUIGI_FEED", "f"), ("LUIGI_PUBLIC_KEY", "k")]).unwrap() else {
            panic!("a feed")
        };
        assert_eq!((feed.directory, feed.public_key), ("f".into(), "k".into()));
        assert_eq!(feed.carried, Carried::Only(FactList::default()), "no word about facts is none");
    }

    #[test]
    fn how_long_grants_count_without_a_heartbeat_is_a_minute_or_what_is_said() {
        let stale_after = |settings: &[(&str, &str)]| {
            let feed = [("LUIGI_FEED", "f"), ("LUIGI_PUBLIC_KEY", "k")];
            let EngineConfig::Feed(feed) = with(&[settings, &feed].concat())? else { panic!("a feed") };
            Ok::<_, String>(feed.stale_after.as_secs())
        };
        assert_eq!(stale_after(&[]), Ok(60));
        for (text, seconds) in [("1s", 1), ("90s", 90), ("5m", 300), ("2h", 7200), ("24h", 86_400)] {
            assert_eq!(stale_after(&[("LUIGI_STALE_AFTER", text)]), Ok(seconds), "{text}");
        }
        for odd in ["", "s", "60", "0s", "-5s", "+5s", "1.5m", "5 m", "25h", "500ms", "1d", "99999999999999999999h"] {
            assert!(stale_after(&[("LUIGI_STALE_AFTER", odd)]).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_spool_has_a_place_a_limit_and_the_name_of_the_machine() {
        let spool = |settings: &[(&str, &str)]| {
            let EngineConfig::PolicyFile(config) = with(&[settings, &[("LUIGI_POLICY", "p")]].concat()).unwrap() else {
                panic!("a policy file")
            };
            config.spool
        };
        assert_eq!(spool(&[]), None);
        assert_eq!(spool(&[("LUIGI_SPOOL", "s")]), Some(SpoolConfig::new("s")));
        for (text, expected) in [("1048576", 1 << 20), ("3000k", 3_072_000), ("2m", 2 << 20), ("1g", 1 << 30)] {
            let settings = [("LUIGI_SPOOL", "s"), ("LUIGI_SPOOL_LIMIT", text), ("LUIGI_NODE", "edge-1")];
            let expected =
                SpoolConfig { directory: "s".into(), limit_bytes: expected, node: Some("edge-1".to_owned()) };
            assert_eq!(spool(&settings), Some(expected));
        }
        for odd in ["", "m", "+1", "-1", "1.5m", "1 m", "99999999999g"] {
            assert_eq!(bytes(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_facts_that_lines_carry_are_named() {
        let carried = |facts: &str| {
            let settings = [("LUIGI_FEED", "f"), ("LUIGI_PUBLIC_KEY", "k"), ("LUIGI_FACTS", facts)];
            let EngineConfig::Feed(feed) = with(&settings)? else { panic!("a feed") };
            let Carried::Only(facts) = feed.carried else { panic!("a list") };
            Ok(facts.to_string())
        };
        assert_eq!(carried("header:x-team certificate"), Ok("certificate header:x-team".to_owned()));
        assert_eq!(carried(""), Ok(String::new()));
        assert_eq!(carried("team"), Err("`LUIGI_FACTS`: `team` is no fact that a line carries".to_owned()));
    }
}
