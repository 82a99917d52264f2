//! `hookproof mock`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::{Args, Subcommand};
use hookproof_sender::ai_teammate::{Platform, server::Server};
use hookproof_sender::provider::{SecretEncoding, SecretForm};
use hookproof_sender::transport::Guard;
use hookproof_sender::{SigningSecret, wall_now};
use serde_json::json;

use crate::command::block_on;
use crate::console::{mention, say, say_json};
use crate::failure::{Answer, Failure};

#[derive(Args, Debug)]
pub(crate) struct Mock {
    #[command(subcommand)]
    service: Service,
}

#[derive(Debug, Subcommand)]
enum Service {
    /// Stand in for AI Teammate: webhooks, tokens, credits, limits and callbacks, until Ctrl-C
    AiTeammate(AiTeammate),
}

#[derive(Args, Debug)]
struct AiTeammate {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8788)]
    port: u16,
    /// The credits of the agents' owner
    #[arg(long, default_value_t = 1_000)]
    credits: u64,
    /// The environment variable that holds the API key; without it one is drawn and shown
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,
    /// Answer the first so many messages with 500
    #[arg(long, value_name = "N", default_value_t = 0)]
    fail: u32,
    /// Print the URLs, the token and the key as JSON
    #[arg(long)]
    json: bool,
}

const AGENT: &str = "agent-demo";

impl Mock {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let Service::AiTeammate(service) = self.service;
        block_on(service.serve())?;
        Ok(Answer::Yes)
    }
}

impl AiTeammate {
    async fn serve(self) -> Result<(), Failure> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port);
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .map_err(|error| Failure::new(format!("cannot listen on {address}: {error}")))?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = match &self.api_key_env {
            Some(name) => {
                SigningSecret::new(std::env::var(name).map_err(|_| Failure::new(format!("{name} is not set")))?)?
            }
            None => SigningSecret::fresh(&SecretForm {
                prefix: "key_".to_owned(),
                encoding: SecretEncoding::Base62,
                bytes: 24,
            })?,
        };
        let mut platform = Platform::new(&url, self.credits);
        let created = platform.create(AGENT, "made at start", None, wall_now())?;
        let shown_key = if self.api_key_env.is_some() { key.prefix() } else { key.reveal().to_owned() };
        if self.json {
            say_json(&json!({ "url": url, "agent_id": AGENT, "api_key": shown_key, "webhook": created }))?;
        } else {
            say(format_args!("AI Teammate stands in at {url}"))?;
            say(format_args!("  webhook, shown this once: {}", created.webhook_url))?;
            say(format_args!("  API key (Authorization: Bearer ...): {shown_key}"))?;
            say(format_args!("  webhooks: {url}/api/agents/{AGENT}/webhooks"))?;
        }
        let server = Server::new(platform, key, Guard::with_loopback())?.failing_first(self.fail).observed(mention);
        let serving = axum::serve(listener, server.router()).with_graceful_shutdown(async {
            // Without a way to hear of Ctrl-C the service ends at once, which is seen at once.
            let _ = tokio::signal::ctrl_c().await;
        });
        Ok(serving.await?)
    }
}
