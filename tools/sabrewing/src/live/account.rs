//! Whose orders a live run sends: the `[[account]]` tables, and the keys, which are in none of them.

use crate::config::Mistakes;
use feeds::live::product_of;
use feeds::venues::binance::Product;
use gateway::venues::binance::RecvWindow;
use gateway::venues::binance::session::{Credentials, FuturesSettings, KeyKind, MarginMode};
use serde::Deserialize;
use std::fmt::Display;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use wire::sign::Secret;
use wire::url::Url;
use zeroize::Zeroizing;

/// One `[[account]]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountTable {
    /// The `[[venue]]` whose orders it sends.
    venue: String,
    key: KeyName,
    /// `env:NAME`: the key is in the environment, `NAME_API_KEY` and `NAME_SECRET`. `file:PATH`: it is in a file that only
    /// its owner may read, the public half on the first line, the secret behind it.
    key_from: String,
    /// The WebSocket API.
    order_api: String,
    /// Base of the user stream, futures alone; the venue's streams when absent.
    user_stream: Option<String>,
    /// How long after its time stamp the venue takes a request, ms; 1..=60,000.
    recv_window_ms: u32,
    /// Leverage that is set of every instrument at start, 1..=125; futures alone; as it is when absent.
    leverage: Option<u8>,
    /// Margin type likewise.
    margin: Option<MarginName>,
    /// The venue cancels everything of a symbol that it was not told of for so long, ms; 5,000..=600,000; futures alone.
    dead_man_ms: Option<u32>,
}

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeyName {
    Hmac,
    Ed25519,
}

/// What a position's margin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MarginName {
    Cross,
    Isolated,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum KeyPlace {
    /// Two environment variables that begin with this name.
    Environment(String),
    File(PathBuf),
}

/// An account, checked.
#[derive(Clone, Debug)]
pub(crate) struct AccountConfig {
    /// The venue, product included.
    pub(crate) venue: String,
    kind: KeyKind,
    place: KeyPlace,
    /// The WebSocket API, path included.
    pub(crate) order_api: Url,
    /// The user stream's host; None: the venue's streams'.
    pub(crate) user_stream: Option<Url>,
    /// How long the venue takes a request.
    pub(crate) recv_window: RecvWindow,
    /// The venue's own timer.
    pub(crate) dead_man_ms: Option<u32>,
    /// What is set at start.
    pub(crate) settings: FuturesSettings,
}

impl AccountTable {
    /// The `[[venue]]` whose orders it sends.
    pub(crate) fn venue(&self) -> &str {
        &self.venue
    }

    /// Err: every value that is out of range, with its key.
    pub(crate) fn check(&self) -> Result<AccountConfig, Mistakes> {
        let at = |what: &dyn Display| format!("[[account]] venue = \"{}\", {what}", self.venue);
        let mut wrong = Mistakes::default();
        let place = match self.key_from.split_once(':') {
            Some(("env", name)) if is_env_name(name) => Ok(KeyPlace::Environment(name.to_owned())),
            Some(("env", _)) => Err(at(&"key_from: env:NAME, of capital letters, digits and _")),
            Some(("file", path)) if !path.is_empty() => Ok(KeyPlace::File(path.into())),
            _ => Err(at(&"key_from: env:NAME or file:PATH")),
        };
        let place = wrong.keep(place);
        let url = |key: &str, text: &str| {
            let url = Url::parse(text).map_err(|error| at(&format_args!("{key}: {text:?}: {error}")))?;
            if url.is_secure() || url.is_loopback() {
                Ok(url)
            } else {
                Err(at(&format_args!("{key}: {text:?}: orders go over wss alone")))
            }
        };
        let order_api = wrong.keep(url("order_api", &self.order_api));
        let user_stream = self.user_stream.as_deref().map(|text| url("user_stream", text)).transpose();
        let user_stream = wrong.keep(user_stream).flatten();
        match product_of(&self.venue) {
            Some(Product::UsdM) => {}
            Some(Product::Spot) => {
                for (is_given, what) in [
                    (self.user_stream.is_some(), "user_stream: spot has its user events on order_api"),
                    (self.dead_man_ms.is_some(), "dead_man_ms: spot has no such timer"),
                    (self.leverage.is_some() || self.margin.is_some(), "leverage and margin: spot has none"),
                ] {
                    wrong.check(!is_given, || at(&what));
                }
            }
            _ => wrong.note(at(&"venue: orders go to binance-spot and binance-usdm")),
        }
        wrong.check(self.dead_man_ms.is_none_or(|ms| (5_000..=600_000).contains(&ms)), || {
            at(&"dead_man_ms must be in 5000..=600000")
        });
        wrong.check(self.leverage.is_none_or(|leverage| (1..=125).contains(&leverage)), || {
            at(&"leverage must be in 1..=125")
        });
        let recv_window = RecvWindow::from_ms(self.recv_window_ms);
        let recv_window = wrong.keep(recv_window.ok_or_else(|| at(&"recv_window_ms must be in 1..=60000")));
        match (place, order_api, recv_window) {
            (Some(place), Some(order_api), Some(recv_window)) if wrong.is_empty() => Ok(AccountConfig {
                venue: self.venue.clone(),
                kind: match self.key {
                    KeyName::Hmac => KeyKind::Hmac,
                    KeyName::Ed25519 => KeyKind::Ed25519,
                },
                place,
                order_api,
                user_stream,
                recv_window,
                dead_man_ms: self.dead_man_ms,
                settings: FuturesSettings {
                    leverage: self.leverage,
                    margin: self.margin.map(|margin| match margin {
                        MarginName::Cross => MarginMode::Cross,
                        MarginName::Isolated => MarginMode::Isolated,
                    }),
                },
            }),
            _ => Err(wrong),
        }
    }
}

fn is_env_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_word)
}

impl AccountConfig {
    /// The key, from where it is. Err: where it was looked for and what is wrong there, without a word of the key.
    pub(crate) fn credentials(&self) -> Result<Credentials, String> {
        let credentials = match &self.place {
            KeyPlace::Environment(name) => self.key_in_environment(name)?,
            KeyPlace::File(path) => self.key_in_file(path)?,
        };
        match credentials.authentication() {
            Ok(_) => Ok(credentials),
            Err(error) => Err(format!("[[account]] venue = \"{}\": the secret: {error}", self.venue)),
        }
    }

    fn key_in_environment(&self, name: &str) -> Result<Credentials, String> {
        let variable = |half: &str| {
            let name = format!("{name}_{half}");
            let value = std::env::var(&name).map_err(|_| format!("{name} is not set, or is no text"))?;
            let value = Zeroizing::new(value);
            let trimmed = Zeroizing::new(value.trim().to_owned());
            if trimmed.is_empty() { Err(format!("{name} is empty")) } else { Ok(trimmed) }
        };
        let at = |what: String| format!("[[account]] venue = \"{}\": {what}", self.venue);
        let (api_key, secret) = (variable("API_KEY").map_err(at)?, variable("SECRET").map_err(at)?);
        Ok(self.of(&api_key, &secret))
    }

    /// Err: the file cannot be read, others may read it, or it has not both halves.
    fn key_in_file(&self, path: &Path) -> Result<Credentials, String> {
        let at = |what: &dyn Display| format!("key_from file:{}: {what}", path.display());
        let meta = std::fs::metadata(path).map_err(|error| at(&error))?;
        if !meta.is_file() {
            return Err(at(&"not a file"));
        }
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(at(&format_args!(
                "others may read it (mode {mode:04o}): chmod 600 {}",
                path.display()
            )));
        }
        // SAFETY: asks for a number of this process and touches no memory.
        let user = unsafe { libc::geteuid() };
        if meta.uid() != user {
            return Err(at(&"it belongs to another user"));
        }
        let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| at(&error))?);
        let text = std::str::from_utf8(&bytes).map_err(|_| at(&"not text"))?;
        match text.trim().split_once('\n') {
            Some((api_key, secret)) => Ok(self.of(api_key.trim(), secret.trim())),
            None => Err(at(&"the public half belongs on the first line, the secret half behind it")),
        }
    }

    fn of(&self, api_key: &str, secret: &str) -> Credentials {
        let secret = Secret::new(secret.as_bytes().to_vec());
        Credentials { api_key: api_key.to_owned(), secret, kind: self.kind }
    }
}

/// Why orders may not be sent to a host. None: they may: it is this machine, or one of the venue's test networks.
pub(crate) fn refused_host(url: &Url) -> Option<String> {
    let host = url.host();
    let is_test = TEST_HOSTS.iter().any(|test| {
        let inside = host.strip_suffix(test);
        inside.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let is_demo = host.strip_suffix(".binance.com").is_some_and(|name| name.starts_with("demo-"));
    if url.is_loopback() || is_test || is_demo {
        return None;
    }
    Some(format!(
        "{host} is no test network: real money waits until breakers and recovery have landed; orders go to \
         testnet.binance.vision, binancefuture.com, demo-*.binance.com and this machine"
    ))
}

/// The venue's test networks, everything below them included (from the project's dossier of 21 Nov 2026, section 1).
const TEST_HOSTS: [&str; 2] = ["testnet.binance.vision", "binancefuture.com"];

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "venue = 'binance-usdm'\nkey = 'hmac'\nkey_from = 'env:SB_TEST_ACCOUNT'\n\
        order_api = 'wss://testnet.binancefuture.com/ws-fapi/v1'\nrecv_window_ms = 2000\n";

    fn table(text: &str) -> Result<AccountConfig, String> {
        let table: AccountTable = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        table.check().map_err(|wrong| wrong.text())
    }

    #[test]
    fn orders_go_to_test_networks_and_this_machine_alone() {
        let is_open = |url: &str| refused_host(&Url::parse(url).unwrap()).is_none();
        for url in [
            "wss://testnet.binancefuture.com/ws-fapi/v1",
            "wss://ws-api.testnet.binance.vision/ws-api/v3",
            "https://testnet.binance.vision",
            "wss://fstream.binancefuture.com",
            "https://demo-fapi.binance.com",
            "wss://127.0.0.1:9443/ws-fapi/v1",
            "ws://localhost:9443",
        ] {
            assert!(is_open(url), "{url}");
        }
        for url in [
            "wss://ws-fapi.binance.com/ws-fapi/v1",
            "https://api.binance.com",
            "wss://testnet.binance.vision.evil.com",
            "wss://eviltestnet.binance.vision",
            "wss://notbinancefuture.com",
            "https://demo.binance.com",
            "wss://localhost.evil.com",
        ] {
            assert!(!is_open(url), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_account_is_named() {
        assert!(table(TABLE).is_ok());
        for (from, to, what) in [
            ("binance-usdm", "binance-coinm", "binance-spot and binance-usdm"),
            ("env:SB_TEST_ACCOUNT", "SB_TEST_ACCOUNT", "env:NAME or file:PATH"),
            ("SB_TEST_ACCOUNT", "not a name", "key_from: env:NAME"),
            ("env:SB_TEST_ACCOUNT", "file:", "env:NAME or file:PATH"),
            ("wss:", "ws:", "wss alone"),
            ("2000", "0", "recv_window_ms"),
            ("recv", "dead_man_ms = 100\nrecv", "dead_man_ms"),
            ("recv", "leverage = 0\nrecv", "leverage must be"),
            ("recv", "margin = 'some'\nrecv", "some"),
            ("hmac", "rsa", "rsa"),
        ] {
            let error = table(&TABLE.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(what), "{what}: {error}");
        }
        let spot = TABLE.replace("binance-usdm", "binance-spot");
        assert!(table(&format!("{spot}dead_man_ms = 60000\n")).unwrap_err().contains("no such timer"));
        assert!(table(&format!("{spot}user_stream = 'wss://x'\n")).unwrap_err().contains("user_stream"));
        let several = table(&TABLE.replace("2000", "0").replace("wss:", "ws:")).unwrap_err();
        assert_eq!(several.lines().count(), 2, "{several}");
    }

    #[test]
    fn a_key_file_is_read_only_where_nobody_else_can_and_its_words_are_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("account.key");
        let text = TABLE.replace("env:SB_TEST_ACCOUNT", &format!("file:{}", path.display()));
        let account = table(&text).unwrap();
        assert!(account.credentials().unwrap_err().contains("No such file"));
        let write = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            account.credentials()
        };
        let error = write("public\nhidden\n", 0o640).unwrap_err();
        assert!(
            error.contains("0640") && error.contains("chmod 600") && !error.contains("hidden"),
            "{error}"
        );
        let error = write("hidden", 0o600).unwrap_err();
        assert!(error.contains("first line") && !error.contains("hidden"), "{error}");
        let read = write("  public \n hidden \n", 0o600).unwrap();
        assert_eq!((read.api_key.as_str(), read.kind), ("public", KeyKind::Hmac));
        assert!(!format!("{read:?}").contains("hidden") && !format!("{read:?}").contains("public"));
    }

    #[test]
    fn a_key_that_is_not_set_or_is_none_of_its_kind_is_said_by_its_place() {
        let account = table(TABLE).unwrap();
        assert!(account.credentials().unwrap_err().contains("SB_TEST_ACCOUNT_API_KEY"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("account.key");
        std::fs::write(&path, "public\nhidden\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = TABLE
            .replace("env:SB_TEST_ACCOUNT", &format!("file:{}", path.display()))
            .replace("hmac", "ed25519");
        let error = table(&text).unwrap().credentials().unwrap_err();
        assert!(error.contains("the secret") && !error.contains("hidden"), "{error}");
    }
}
