//! `hookproof providers`

use clap::Args;
use hookproof::{Coverage, Evidence, Scheme};
use hookproof_sender::{Provider, Span};
use serde_json::{Value, json};

use crate::console::{Paint, say, say_json};
use crate::failure::{Answer, Failure};
use crate::input;
use crate::table::{Table, Tone};

/// Without a name: all providers. With one: what it signs, what it does not, when it retries, and what it sends.
#[derive(Args, Debug)]
pub(crate) struct Providers {
    /// A provider, or a scheme file of your own
    name: Option<String>,
    /// Print a page of Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// No colours
    #[arg(long)]
    plain: bool,
}

impl Providers {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        match &self.name {
            Some(name) => self.one(&input::scheme(name)?)?,
            None => self.all()?,
        }
        Ok(Answer::Yes)
    }

    fn all(&self) -> Result<(), Failure> {
        let schemes = Scheme::names().map(Scheme::named).collect::<Result<Vec<_>, _>>()?;
        if self.json {
            return say_json(&schemes.iter().map(facts).collect::<Vec<_>>());
        }
        if self.markdown {
            say("| id | provider | signs | time | id | retries | evidence |\n|---|---|---|---|---|---|---|")?;
            for scheme in &schemes {
                let [id, title, signs, time, identity, retries, evidence] = columns(scheme);
                say(format_args!("| `{id}` | {title} | {signs} | {time} | {identity} | {retries} | {evidence} |"))?;
            }
            return Ok(());
        }
        let mut table = Table::new(["id", "provider", "signs", "time", "id", "retries", "evidence"].into_iter());
        for scheme in &schemes {
            table.row(columns(scheme).map(|text| (text, Tone::Normal)).into());
        }
        table.print(Paint::new(self.plain))
    }

    fn one(&self, scheme: &Scheme) -> Result<(), Failure> {
        if self.json {
            return say_json(&facts(scheme));
        }
        let paint = Paint::new(self.plain);
        let heading = |text: &str| if self.markdown { format!("## {text}") } else { paint.bold(text) };
        let bullet = if self.markdown { "- " } else { "  " };
        let title = if self.markdown { format!("# {}", scheme.title()) } else { paint.bold(scheme.title()) };
        say(title)?;
        let [id, _, signs, time, identity, retries, evidence] = columns(scheme);
        let assumed = if scheme.is_assumed() { " (the format is partly assumed)" } else { "" };
        for (name, value) in [
            ("id", id),
            ("from", format!("{}{assumed}", scheme.docs())),
            ("headers", scheme.headers().join(", ")),
            ("signature covers", signs),
            ("time", spelled_out(&time)),
            ("delivery id", spelled_out(&identity)),
            ("retries", retries),
            ("evidence", evidence),
            ("note", scheme.note().to_owned()),
        ] {
            if !value.is_empty() {
                say(format_args!("{bullet}{name}: {value}"))?;
            }
        }
        let exposure = scheme.exposure();
        if !exposure.is_empty() {
            say(format_args!("\n{}", heading("What somebody who captured a request could still change")))?;
            for sentence in exposure {
                say(format_args!("{bullet}{sentence}"))?;
            }
        }
        if let Ok(provider) = Provider::named(scheme.id()) {
            say(format_args!("\n{}", heading("What the reference sender does")))?;
            let starts = provider.policy().retry.starts();
            let starts = starts.iter().map(Span::to_string).collect::<Vec<_>>().join(", ");
            let about = if provider.retry.jitter > 0.0 { ", give or take a tenth of each wait" } else { "" };
            say(format_args!("{bullet}attempts at: {starts}{about}"))?;
            say(format_args!("{bullet}timeout: {}", provider.retry.timeout))?;
            say(format_args!("{bullet}afterwards: {}", provider.after.says))?;
            for assumption in &provider.assumed {
                say(format_args!("{bullet}assumed: {assumption}"))?;
            }
            say(format_args!("\n{}", heading("Events")))?;
            for event in &provider.events {
                say(format_args!("{bullet}{}: {}", event.event_type, event.description))?;
            }
        }
        Ok(())
    }
}

/// Id, title, what is signed, the time, the id, the retries, the evidence.
fn columns(scheme: &Scheme) -> [String; 7] {
    let signs = match scheme.coverage() {
        Coverage::Body => "body",
        Coverage::Partial => "part",
        Coverage::None => "nothing",
    };
    let evidence = match scheme.evidence() {
        Evidence::Published => "published",
        Evidence::ThirdParty => "third-party",
        Evidence::Computed => "computed",
        Evidence::None => "none",
    };
    let signed = |is| if is { "signed" } else { "-" }.to_owned();
    [
        scheme.id().to_owned(),
        scheme.title().to_owned(),
        signs.to_owned(),
        signed(scheme.is_timed()),
        signed(scheme.id_is_signed()),
        retries(scheme),
        evidence.to_owned(),
    ]
}

fn spelled_out(column: &str) -> String {
    if column == "-" { "not signed" } else { column }.to_owned()
}

fn retries(scheme: &Scheme) -> String {
    match scheme.retry() {
        None => "not documented".to_owned(),
        Some(retry) if retry.delays_ms.is_empty() && retry.horizon() == 0 => "never".to_owned(),
        Some(retry) if retry.delays_ms.is_empty() => format!("for {}", Span::of_seconds(retry.horizon())),
        Some(retry) => {
            let count = retry.delays_ms.len();
            format!("{count} within {}", Span::of_milliseconds(retry.delays_ms.iter().sum()))
        }
    }
}

fn facts(scheme: &Scheme) -> Value {
    let sender = Provider::named(scheme.id()).ok();
    json!({
        "id": scheme.id(),
        "title": scheme.title(),
        "docs": scheme.docs(),
        "note": scheme.note(),
        "assumed": scheme.is_assumed(),
        "headers": scheme.headers(),
        "coverage": scheme.coverage().as_str(),
        "timed": scheme.is_timed(),
        "id_signed": scheme.id_is_signed(),
        "legacy": scheme.is_legacy(),
        "handshake": scheme.has_handshake(),
        "retry": scheme.retry().map(|retry| json!({ "delays_ms": retry.delays_ms, "jitter": retry.jitter, "timeout_ms": retry.timeout_ms, "horizon_s": retry.horizon() })),
        "exposure": scheme.exposure(),
        "sender": sender,
    })
}
