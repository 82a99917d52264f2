//! `hookproof store forget`

use std::path::Path;
use std::time::Duration;

use clap::Args;
use deadpool_postgres::{Manager, Pool, tokio_postgres};
use hookproof::{Coverage, Key, Scheme};
use hookproof_stores::postgres::PostgresStore;
use hookproof_stores::redis::RedisStore;
use hookproof_stores::sqlite::SqliteStore;
use hookproof_stores::{AsyncStore, Scope};
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

use crate::command::block_on;
use crate::console::{harmless, mention, say};
use crate::failure::{Answer, Failure};
use crate::input::{self, BodySource};

/// How long a server may take, from the first byte to the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets one completed event run once more when its sender sends it again.
///
/// Ends with 1 if no completed event is known by that key. A claim in flight is left alone: its lease ends by itself.
#[derive(Args, Debug)]
pub(crate) struct Forget {
    /// redis://..., postgres://... or the path of an SQLite file; without it HOOKPROOF_STORE of the environment
    store: Option<String>,
    /// The scope that the receiver gave its store
    #[arg(long)]
    scope: String,
    #[command(flatten)]
    event: Event,
}

/// What the store knows the event by.
#[derive(Args, Debug)]
struct Event {
    /// The whole key: 64 hex digits
    #[arg(long, value_name = "HEX", conflicts_with = "provider", required_unless_present = "provider")]
    key: Option<String>,
    /// The provider, or scheme file, of the receiver: the key is made from --id, --item or the body
    #[arg(long)]
    provider: Option<String>,
    /// The tenant, where the receiver looks secrets up by tenant
    #[arg(long, requires = "provider")]
    tenant: Option<String>,
    /// The id of the delivery, where it is signed
    #[arg(long, requires = "provider", conflicts_with_all = ["item", "body_source"])]
    id: Option<String>,
    /// The id of one event of a batch
    #[arg(long, requires = "provider", conflicts_with = "body_source")]
    item: Option<String>,
    #[command(flatten)]
    body: BodySource,
    /// The event type, where the receiver was given `events`
    #[arg(long, value_name = "TYPE", requires = "body_source")]
    event_type: Option<String>,
}

impl Forget {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let given = match self.store {
            Some(given) => given,
            None => std::env::var("HOOKPROOF_STORE")
                .map_err(|_| Failure::new("no store: name one, or set HOOKPROOF_STORE in the environment"))?,
        };
        let scope = Scope::new(self.scope).map_err(|error| Failure::new(error.to_string()))?;
        let key = self.event.key(scope.as_str())?;
        let name = format!("`{}` in scope `{}`", key.prefix(), scope.as_str());
        if block_on(forget(&given, scope, key))? {
            say(format_args!("forgot {name}: when its sender sends it again, it runs once more"))?;
            return Ok(Answer::Yes);
        }
        say(format_args!("nothing to forget: no completed event is {name}"))?;
        if let Some(hint) = self.event.hint()? {
            mention(hint);
        }
        Ok(Answer::No)
    }
}

impl Event {
    fn key(&self, scope: &str) -> Result<Key, Failure> {
        if let Some(text) = &self.key {
            return whole(text);
        }
        let scheme = self.scheme()?;
        let scope = match &self.tenant {
            // As receivers put them together: scopes are printable, so none ends like another one and its tenant.
            Some(tenant) => format!("{scope}\n{tenant}"),
            None => scope.to_owned(),
        };
        let key = |kind, identity: &[u8]| Key::derive(scheme.id(), &scope, kind, identity);
        if let Some(id) = &self.id {
            return Ok(key("id", id.as_bytes()));
        }
        if let Some(item) = &self.item {
            return Ok(key("item", item.as_bytes()));
        }
        if !self.body.is_given() {
            return Err(Failure::new("no event: give --id, --item, --body or --body-file, or the whole --key"));
        }
        if scheme.coverage() != Coverage::Body {
            return Err(Failure::new(format!(
                "a signature of `{}` does not cover the body, so the body makes no key: give the whole --key",
                scheme.id()
            )));
        }
        let mut identity = Sha256::digest(self.body.read()?).to_vec();
        Ok(match &self.event_type {
            Some(event) => {
                identity.extend_from_slice(event.as_bytes());
                key("body.event", &identity)
            }
            None => key("body", &identity),
        })
    }

    /// Why the key may not be the one that was meant.
    fn hint(&self) -> Result<Option<String>, Failure> {
        if self.provider.is_none() {
            return Ok(None);
        }
        let scheme = self.scheme()?;
        Ok(match (self.id.is_some(), self.body.is_given(), scheme.id_is_signed()) {
            (true, _, false) => Some(format!(
                "`{}` does not sign its ids: unless the receiver says `identity=\"id\"`, the event is known by its body",
                scheme.id()
            )),
            (_, true, true) => {
                Some(format!("`{}` signs its ids: unless it had none, the event is known by --id", scheme.id()))
            }
            _ => None,
        })
    }

    fn scheme(&self) -> Result<Scheme, Failure> {
        input::scheme(self.provider.as_deref().unwrap_or_default())
    }
}

/// A key from its 64 hex digits.
fn whole(text: &str) -> Result<Key, Failure> {
    let mut key = Key([0; 32]);
    let mut digits = text.chars().map(|digit| digit.to_digit(16));
    for byte in &mut key.0 {
        match (digits.next().flatten(), digits.next().flatten()) {
            (Some(high), Some(low)) => *byte = u8::try_from(high * 16 + low).unwrap_or_default(),
            _ => return Err(no_key()),
        }
    }
    if digits.next().is_some() { Err(no_key()) } else { Ok(key) }
}

fn no_key() -> Failure {
    Failure::new(
        "a key has 64 hex digits, as `delivery.key(scope)` gives it; the eight in the log are only its beginning",
    )
}

/// Whether the key was done. No message repeats what was given as the store: a password may stand in it.
async fn forget(store: &str, scope: Scope, key: Key) -> Result<bool, Failure> {
    let work = async {
        match store.split_once("://").map(|(protocol, _)| protocol) {
            Some("redis" | "rediss" | "valkey" | "valkeys") => forget_on_redis(store, scope, key).await,
            Some("postgres" | "postgresql") => forget_on_postgres(store, scope, key).await,
            Some(_) => Err(Failure::new("a store is redis://..., postgres://... or the path of an SQLite file")),
            None => forget_in_file(Path::new(store), scope, key).await,
        }
    };
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| Failure::new(format!("the store did not answer within {} seconds", PATIENCE.as_secs())))?
}

async fn forget_on_redis(url: &str, scope: Scope, key: Key) -> Result<bool, Failure> {
    let client = redis::Client::open(url).map_err(said)?;
    let connection = client.get_multiplexed_async_connection().await.map_err(said)?;
    RedisStore::new(connection, scope).forget(&key.0).await.map_err(said)
}

async fn forget_on_postgres(url: &str, scope: Scope, key: Key) -> Result<bool, Failure> {
    let manager = Manager::new(url.parse().map_err(said::<tokio_postgres::Error>)?, tokio_postgres::NoTls);
    let pool = Pool::builder(manager).max_size(1).build().map_err(said)?;
    PostgresStore::new(pool, scope).forget(&key.0).await.map_err(said)
}

async fn forget_in_file(path: &Path, scope: Scope, key: Key) -> Result<bool, Failure> {
    let at = |error: rusqlite::Error| Failure::new(format!("{}: {error}", path.display()));
    // Opening a store makes its file and its table: here that would only hide a mistyped path.
    let seen = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(at)?;
    let tables = "SELECT count(*) FROM sqlite_master WHERE name = ?1";
    if seen.query_row(tables, [hookproof::store::sql::TABLE], |row| row.get::<_, i64>(0)).map_err(at)? == 0 {
        return Err(Failure::new(format!(
            "{}: no store: there is no table `{}`",
            path.display(),
            hookproof::store::sql::TABLE
        )));
    }
    SqliteStore::open(path, scope).map_err(at)?.forget(&key.0).await.map_err(said)
}

/// A client's or a store's own words, on one line.
fn said<E: std::fmt::Display>(error: E) -> Failure {
    Failure::new(harmless(&error.to_string(), 300))
}
