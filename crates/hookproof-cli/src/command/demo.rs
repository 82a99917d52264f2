//! `hookproof demo`

use std::collections::BTreeMap;

use clap::Args;
use hookproof::Scheme;
use hookproof_sender::SigningSecret;
use hookproof_sender::scenario::{self, Scenario, Subject, Verdict};
use serde_json::json;
use tokio::sync::mpsc;

use crate::command::{block_on, send::transport};
use crate::console::{Paint, progress, progress_ends, say, say_json};
use crate::failure::{Answer, Failure};

/// The providers that the demo plays.
const PROVIDERS: [&str; 4] = ["get-a-team", "my-gpt-assistants", "agentbot", "standard-webhooks"];

/// Plays every scenario for every provider against every receiver, at the same time.
///
/// A receiver takes POST /webhooks/PROVIDER and tells its effects at GET /effects. Secrets are read from
/// HOOKPROOF_DEMO_PROVIDER_SECRET and HOOKPROOF_DEMO_PROVIDER_OLD_SECRET, with the provider in upper case and `_` for `-`.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// A receiver, as NAME=URL; give it once for each
    #[arg(long = "receiver", value_name = "NAME=URL", required = true, value_parser = crate::input::setting)]
    receivers: Vec<(String, String)>,
    /// Play this provider only; give it once for each
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,
    /// No colours
    #[arg(long)]
    plain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

type Cells = BTreeMap<(String, usize, String), Verdict>;

impl Demo {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let providers: Vec<String> =
            if self.providers.is_empty() { PROVIDERS.map(str::to_owned).to_vec() } else { self.providers.clone() };
        let cells = block_on(self.play(&providers))?;
        let wrong = cells.values().filter(|verdict| !verdict.right).count();
        if self.json {
            self.print_json(&cells, wrong)?;
        } else {
            self.print_table(&providers, &cells, wrong)?;
        }
        Ok(Answer::from(wrong == 0 && !cells.is_empty()))
    }

    fn subject(provider: &str, url: &str) -> Result<Subject, Failure> {
        let variable = provider.to_ascii_uppercase().replace('-', "_");
        let secret = |suffix: &str| {
            let name = format!("HOOKPROOF_DEMO_{variable}_{suffix}");
            let text = std::env::var(&name).map_err(|_| Failure::new(format!("{name} is not set")))?;
            SigningSecret::new(text).map_err(|error| Failure::from(error.context(&name)))
        };
        let url = url.trim_end_matches('/');
        Ok(Subject {
            provider: provider.to_owned(),
            secret: secret("SECRET")?,
            old_secret: secret("OLD_SECRET")?,
            url: format!("{url}/webhooks/{provider}"),
            effects_url: format!("{url}/effects"),
        })
    }

    async fn play(&self, providers: &[String]) -> Result<Cells, Failure> {
        let transport = transport()?;
        let (sender, mut verdicts) = mpsc::unbounded_channel();
        let mut plays = tokio::task::JoinSet::new();
        let mut expected = 0;
        for (name, url) in &self.receivers {
            for provider in providers {
                let subject = Self::subject(provider, url)?;
                let scheme = Scheme::named(provider)?;
                expected += Scenario::ALL.iter().filter(|scenario| scenario.applies(&scheme)).count();
                let (transport, sender, name) = (transport.clone(), sender.clone(), name.clone());
                plays.spawn(async move {
                    // Nobody listens any more only if another play has failed, and then that is what is said.
                    scenario::play(&transport, &subject, |verdict| drop(sender.send((name.clone(), verdict.clone()))))
                        .await
                });
            }
        }
        drop(sender);
        let mut cells = Cells::new();
        while let Some((name, verdict)) = verdicts.recv().await {
            let place = Scenario::ALL.iter().position(|scenario| *scenario == verdict.scenario).unwrap_or_default();
            cells.insert((verdict.provider.clone(), place, name), verdict);
            progress(format_args!("{} of {expected} scenarios played", cells.len()));
        }
        progress_ends();
        for result in plays.join_all().await {
            result?;
        }
        Ok(cells)
    }

    fn print_json(&self, cells: &Cells, wrong: usize) -> Result<(), Failure> {
        let rows: Vec<_> = cells
            .iter()
            .map(|((provider, _, receiver), verdict)| {
                json!({
                    "provider": provider,
                    "scenario": verdict.scenario,
                    "receiver": receiver,
                    "right": verdict.right,
                    "expected": verdict.scenario.expectation(),
                    "expected_effects": verdict.scenario.effects(),
                    "seen": verdict.seen,
                    "effects": verdict.effects,
                })
            })
            .collect();
        say_json(&json!({ "cells": rows.len(), "wrong": wrong, "rows": rows }))
    }

    fn print_table(&self, providers: &[String], cells: &Cells, wrong: usize) -> Result<(), Failure> {
        let paint = Paint::new(self.plain);
        let names: Vec<&String> = self.receivers.iter().map(|(name, _)| name).collect();
        let mut head = format!("{:<36}{:<26}", "", "expected");
        for name in &names {
            head.push_str(&format!("{name:<26}"));
        }
        say(paint.bold(head.trim_end()))?;
        for provider in providers {
            say(paint.bold(provider))?;
            for (place, scenario) in Scenario::ALL.iter().enumerate() {
                let row: Vec<Option<&Verdict>> =
                    names.iter().map(|name| cells.get(&(provider.clone(), place, (*name).clone()))).collect();
                if row.iter().all(Option::is_none) {
                    continue;
                }
                let mut line = format!("  {:<34}", scenario.title());
                line.push_str(&paint.faint(&format!(
                    "{:<26}",
                    format!("{}, {}", scenario.expectation(), effects(Some(scenario.effects())))
                )));
                for verdict in row {
                    line.push_str(&cell(verdict, paint));
                }
                say(line.trim_end())?;
            }
        }
        let total = cells.len();
        let listed = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        if wrong == 0 {
            say(paint.green(&format!("all agree with what is expected: {listed}, {total} verdicts")))
        } else {
            say(paint.red(&format!("not all agree with what is expected: {wrong} of {total} verdicts are wrong")))
        }
    }
}

fn cell(verdict: Option<&Verdict>, paint: Paint) -> String {
    let Some(verdict) = verdict else { return format!("{:<26}", "not played") };
    let text =
        format!("{} {}, {}", if verdict.right { "ok" } else { "WRONG" }, verdict.answers(), effects(verdict.effects));
    let padded = format!("{text:<26}");
    if verdict.right { paint.green(&padded) } else { paint.red(&padded) }
}

fn effects(count: Option<u64>) -> String {
    match count {
        None => "effects unknown".to_owned(),
        Some(1) => "1 effect".to_owned(),
        Some(count) => format!("{count} effects"),
    }
}
