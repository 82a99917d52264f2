//! Claims on Redis or Valkey: one script, one round trip for each step.

use hookproof::store::lua;
use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, ServerErrorKind, Value};

use crate::{AsyncStore, ClaimAnswer, Scope, StoreError, Token, unavailable};

/// Claims on Redis or Valkey, through any connection of the `redis` crate that can be cloned: a
/// `MultiplexedConnection`, a `ConnectionManager`, a `ClusterConnection`.
///
/// Give the connection a response timeout, so that a server that hangs is a refusal with 503. Set the server's
/// `maxmemory-policy` to `noeviction`: an evicted claim is forgotten. Redis replicates asynchronously, so a failover
/// can forget the last writes.
#[derive(Clone)]
pub struct RedisStore<C> {
    connection: C,
    scope: Scope,
}

impl<C> RedisStore<C> {
    /// A store on `connection`.
    pub fn new(connection: C, scope: Scope) -> Self {
        Self { connection, scope }
    }
}

impl<C> core::fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RedisStore").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> AsyncStore for RedisStore<C> {
    fn scope(&self) -> &str {
        self.scope.as_str()
    }

    async fn claim(
        &self,
        key: &[u8; 32],
        token: &Token,
        body_hash: &[u8; 32],
        lease_ms: u64,
    ) -> Result<ClaimAnswer, StoreError> {
        let lease_ms = lease_ms.to_string();
        match self.run(key, &["claim", &hex(&token.0), &lease_ms, &hex(body_hash)]).await? {
            Value::Int(fence @ 1..) => Ok(ClaimAnswer::Claimed { fence: fence.unsigned_abs() }),
            Value::Int(remaining) => Ok(ClaimAnswer::InFlight { remaining_ms: remaining.unsigned_abs() }),
            text => Ok(ClaimAnswer::Done { body_hash: digest(text)? }),
        }
    }

    async fn complete(&self, key: &[u8; 32], token: &Token, retention_ms: u64) -> Result<bool, StoreError> {
        self.run(key, &["complete", &hex(&token.0), &retention_ms.to_string()]).await
    }

    async fn release(&self, key: &[u8; 32], token: &Token) -> Result<bool, StoreError> {
        self.run(key, &["release", &hex(&token.0)]).await
    }

    async fn extend(&self, key: &[u8; 32], token: &Token, lease_ms: u64) -> Result<bool, StoreError> {
        self.run(key, &["extend", &hex(&token.0), &lease_ms.to_string()]).await
    }

    async fn forget(&self, key: &[u8; 32]) -> Result<bool, StoreError> {
        self.run(key, &["forget"]).await
    }
}

impl<C: ConnectionLike + Clone> RedisStore<C> {
    async fn run<T: FromRedisValue>(&self, key: &[u8; 32], arguments: &[&str]) -> Result<T, StoreError> {
        let name = lua::key_name(self.scope.as_str(), key);
        let command = |verb: &str, script: &str| {
            let mut command = Cmd::new();
            command.arg(verb).arg(script).arg(1).arg(&name).arg(arguments);
            command
        };
        let mut connection = self.connection.clone();
        match command("EVALSHA", lua::SHA1).query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", lua::SCRIPT).query_async(&mut connection).await.map_err(unavailable)
            }
            answer => answer.map_err(unavailable),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(value: Value) -> Result<[u8; 32], StoreError> {
    let text: String = redis::from_redis_value(value).map_err(unavailable)?;
    let mut bytes = [0; 32];
    let pairs = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).ok());
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = pair
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .ok_or_else(|| unavailable("its answer has no body hash"))?;
    }
    Ok(bytes)
}
