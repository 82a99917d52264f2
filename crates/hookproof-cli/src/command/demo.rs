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
use crate::table::{Table, Tone};

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
        let names: Vec<&str> = self.receivers.iter().map(|(name, _)| name.as_str()).collect();
        let mut table = Table::new(["", "expected"].into_iter().chain(names.iter().copied()));
        for provider in providers {
            table.heading(provider);
            for (place, scenario) in Scenario::ALL.iter().enumerate() {
                let verdicts: Vec<_> =
                    names.iter().map(|name| cells.get(&(provider.clone(), place, (*name).to_owned()))).collect();
                if verdicts.iter().all(Option::is_none) {
                    continue;
                }
                let expected = format!("{}, {}", scenario.expectation(), effects(Some(scenario.effects())));
                let told = [(format!("  {}", scenario.title()), Tone::Normal), (expected, Tone::Faint)];
                table.row(told.into_iter().chain(verdicts.into_iter().map(cell)).collect());
            }
        }
        table.print(paint)?;
        let total = cells.len();
        if wrong == 0 {
            say(paint.green(&format!("all agree with what is expected: {}, {total} verdicts", names.join(", "))))
        } else {
            say(paint.red(&format!("not all agree with what is expected: {wrong} of {total} verdicts are wrong")))
        }
    }
}

fn cell(verdict: Option<&Verdict>) -> (String, Tone) {
    let Some(verdict) = verdict else { return ("not played".to_owned(), Tone::Bad) };
    let (word, tone) = if verdict.right { ("ok", Tone::Good) } else { ("WRONG", Tone::Bad) };
    (format!("{word} {}, {}", verdict.answers(), effects(verdict.effects)), tone)
}

fn effects(count: Option<u64>) -> String {
    match count {
        None => "effects unknown".to_owned(),
        Some(1) => "1 effect".to_owned(),
        Some(count) => format!("{count} effects"),
    }
}
